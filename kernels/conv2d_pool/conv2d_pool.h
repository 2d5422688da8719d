// Convolution, ReLU and max pooling in one: the convolution's full-size result is never written to memory.
#pragma once

#include "../conv2d/conv2d.h"

namespace percale {

/// max_pool2d(conv2d_relu(x, weight, bias, options), pool), the same bytes: windows [rows, columns] side by side, no
/// padding. A few images' convolution stays in cache until it is pooled; for the gradient each window keeps a byte that
/// says which of its pixels was the largest, and the gradient is made from the pooled one, of which most pixels get
/// nothing.
/// @param pool one extent or two, at most 256 pixels a window.
/// @return [N, O, OH / rows, OW / columns], channels-last in memory.
/// Errors: conv2d's, and a window that is larger than the convolution's result.
Tensor conv2d_relu_max_pool2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options,
                              const Shape& pool);
Tensor conv2d_relu_max_pool2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options,
                              int64_t pool);

}  // namespace percale
