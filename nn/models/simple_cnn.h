// The tutorial's convolutional network for 28 x 28 images of ten classes.
#pragma once

#include <utility>

#include "../layers/conv2d.h"
#include "../layers/linear.h"

namespace percale::models {

/// Images [N, 1, 28, 28] to {output [N, 10], embeddings [N, 128]}: the scores of the classes, and what the last layer
/// made them of. 421,642 parameters.
struct SimpleCNN : nn::ModuleOf<SimpleCNN> {
  nn::Conv2d conv1 = add("conv1", nn::Conv2d(1, 32, 3, {.padding = 1}));
  nn::Conv2d conv2 = add("conv2", nn::Conv2d(32, 64, 3, {.padding = 1}));
  nn::Linear fc1 = add("fc1", nn::Linear(64 * 7 * 7, 128));
  nn::Linear fc2 = add("fc2", nn::Linear(128, 10));  // assuming 10 classes for classification

  std::pair<Tensor, Tensor> forward(Tensor x) const;
};

}  // namespace percale::models
