// Pooling of images: the largest or the mean of each window.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// Rows and columns; one number stands for both. Padding is at most half the kernel.
struct Pool2dOptions {
  Shape kernel;
  Shape stride = {};  ///< the kernel's extents where empty
  Shape padding = {0, 0};
  Shape dilation = {1, 1};        ///< of max_pool2d
  bool ceil_mode = false;         ///< a last window may begin inside and end outside
  bool count_include_pad = true;  ///< avg_pool2d divides by the window with its padding
  int64_t divisor_override = 0;   ///< what avg_pool2d divides by instead; 0: the window's size
};

/// The largest element of each window, NaN if there is one; the first of equals gets the gradient.
/// @param x [N, C, H, W], floating. Computed, and returned, with the channels innermost in memory.
/// Returns [N, C, (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1, likewise].
/// Errors: x of another rank or dtype; extents that do not fit; windows larger than the padded image.
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options);
/// Square windows side by side: stride = kernel, no padding.
Tensor max_pool2d(const Tensor& x, int64_t kernel);

/// The mean of each window; all else as max_pool2d.
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options);
Tensor avg_pool2d(const Tensor& x, int64_t kernel);

/// Means of windows that divide the image into size[0] x size[1] parts, overlapping where it does not divide evenly:
/// the window of output i begins at floor(i H / size) and ends before ceil((i + 1) H / size).
Tensor adaptive_avg_pool2d(const Tensor& x, const Shape& size);
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t size);

}  // namespace percale
