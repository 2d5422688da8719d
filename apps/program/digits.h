// What the programs that learn digits share: MNIST as --data says, and how their models bear small changes of an image.
#pragma once

#include <functional>
#include <string>

#include "program.h"

namespace percale::apps {

/// MNIST as `--data` says; what there is to notice goes to `settings`' notes.
data::Mnist load_digits(const std::string& folder, const Settings& settings);

/// What decides the result of a run, for its checkpoints.
std::string arguments_of(const data::Mnist& mnist, int64_t batch, double lr, const Settings& settings);

/// A model's answer to labelled images: embeddings [N, width], and the share of images that it takes for what they are.
struct Answer {
  Tensor embeddings;
  double accuracy = 0;
};

/// Prints, for the images moved by one pixel each way and under noise (standard deviation a tenth of the range), the
/// accuracy and the mean cosine between each image's embedding and that of its changed twin. Returns the numbers of
/// --metrics: `shifted_accuracy`, `shifted_cosine` (of the four directions, on average), `noisy_accuracy`,
/// `noisy_cosine`.
train::Metrics report_robustness(const data::LabelledImages& images, uint64_t seed,
                                 const std::function<Answer(const data::LabelledImages&)>& answer);

}  // namespace percale::apps
