// What the programs that learn digits share: flags, MNIST as --data says, and how their models bear small changes of an
// image.
#pragma once

#include <functional>
#include <string>

#include "program.h"

namespace percale::apps {

/// What the user of a program that learns digits may say, beside the flags of all that train.
struct DigitFlags {
  std::string data = {}, embeddings = {};
  int64_t epochs = 5, batch = 64;
  double lr = 0.001;
  bool robustness = false;

  /// Adds the flags, and what must hold for them.
  void add_to(Program& program);
};

/// MNIST as `--data` says; what there is to notice goes to `settings`' notes.
data::Mnist load_digits(const std::string& folder, const Settings& settings);

/// What decides the result of a run, for its checkpoints.
std::string arguments_of(const data::Mnist& mnist, const DigitFlags& flags, const Settings& settings);

/// A model's answer to labelled images: embeddings [N, width], and the share of images that it takes for what they are.
struct Answer {
  Tensor embeddings;
  double accuracy = 0;
};

/// Prints, for the images moved by one pixel each way and under noise (standard deviation a tenth of the range), the
/// accuracy and the mean cosine between each image's embedding and that of its changed twin; below them, as a measure,
/// the cosine with another image's. Returns the numbers of --metrics: `shifted_accuracy`, `shifted_cosine` (of the four
/// directions, on average), `noisy_accuracy`, `noisy_cosine`, `other_cosine`.
train::Metrics report_robustness(const data::LabelledImages& images, uint64_t seed,
                                 const std::function<Answer(const data::LabelledImages&)>& answer);

}  // namespace percale::apps
