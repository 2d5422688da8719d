// The gradient of one image's convolution, as it lies in memory or as it comes through ReLU and a 2 x 2 max pool.
#pragma once

#include <cstdint>

#include "../../core/convolution_shape.h"

namespace percale::cpu {

/// Walked in tiles of 2 x 2 pixels either way, so that both ways give the same sums in the same order.
struct OutputGradient {
  const float* gradient;  ///< [height, width, channels], or that of the pool's result [height / 2, width / 2, channels]
  const float* pooled = nullptr;      ///< the pool's result, or null: `gradient` is the convolution's
  const uint8_t* position = nullptr;  ///< which of a window's four pixels was its largest
  const float* activated = nullptr;  ///< what ReLU made of the convolution's result: where it is <= 0 no gradient comes
                                     ///< through (null: there is no ReLU, or a pool's is meant)
};

}  // namespace percale::cpu
