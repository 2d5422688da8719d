// How well a classifier of digits does on images that it has not seen: in numbers and in a picture.
#pragma once

#include <string>

#include "../program/digits.h"
#include "../program/training.h"

namespace percale::apps {

/// A model's answers to labelled images, on the CPU.
struct Scores {
  Tensor labels;      ///< i64 [N]
  Tensor predicted;   ///< i64 [N]
  Tensor outputs;     ///< f32 [N, classes]
  Tensor embeddings;  ///< f32 [N, width]
  int64_t correct = 0;

  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(labels.numel()); }
};

/// Runs `model` over all images, a few hundred at a time, without history.
Scores score(const models::SimpleCNN& model, const data::LabelledImages& images, Device device);

/// Prints the accuracy, the rate and what the model was trained on; the last line of --metrics, with `more` in it.
void report(const Scores& scores, const data::Mnist& mnist, Training& training, train::Metrics more = {});

/// The confusion matrix, a 2-D map of the embeddings, and the images of which the model is most wrongly sure.
void draw(const std::string& path, const Scores& scores, const data::Mnist& mnist);

}  // namespace percale::apps
