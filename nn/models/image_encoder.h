// A small strided network from photographs to vectors.
#pragma once

#include "../layers/conv2d.h"
#include "../layers/linear.h"
#include "../layers/pooling.h"

namespace percale::models {

/// Images [N, 3, H, W] of any size from 32 x 32, such as 600 x 800, to embeddings [N, 128]: four strided convolutions,
/// the mean over the image, one linear layer. 114,720 parameters.
struct ImageEncoder : nn::ModuleOf<ImageEncoder> {
  nn::Conv2d conv1 = add("conv1", nn::Conv2d(3, 16, 5, {.stride = 4, .padding = 2}));
  nn::Conv2d conv2 = add("conv2", nn::Conv2d(16, 32, 3, {.stride = 2, .padding = 1}));
  nn::Conv2d conv3 = add("conv3", nn::Conv2d(32, 64, 3, {.stride = 2, .padding = 1}));
  nn::Conv2d conv4 = add("conv4", nn::Conv2d(64, 128, 3, {.stride = 2, .padding = 1}));
  nn::AdaptiveAvgPool2d pool = add("pool", nn::AdaptiveAvgPool2d(1));
  nn::Linear fc = add("fc", nn::Linear(128, 128));

  Tensor forward(Tensor x) const;
};

}  // namespace percale::models
