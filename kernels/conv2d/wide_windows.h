// Convolutions of images with few channels by large windows (a photograph under 5 x 5 or 7 x 7 filters): lanes are
// output channels, and windows are read where they lie in the image, of which no copy is made.
#pragma once

#include "../../core/convolution_shape.h"

namespace percale::cpu {

/// Measured on one AVX-512 core, 3 -> 16 channels, 5 x 5 by 4 on 600 x 800: forward and weight gradient at 2 to 3 times
/// oneDNN's rate, whose lanes are input channels.
inline bool has_wide_windows(const ConvolutionShape& s) {
  constexpr int64_t most_channels = 4, few_values = 32, most_values = 512;
  const int64_t values = s.kernel_height * s.kernel_width * s.in_channels;
  return s.groups == 1 && s.dilation_width == 1 && s.in_channels <= most_channels && values > few_values &&
         values <= most_values;
}

/// Output rows `row` to `row + rows` of one image [in_height, in_width, channels]. Weights and bias as FewChannels'
/// are: [value of the window][output channel, rounded up].
void wide_windows_forward(const ConvolutionShape& shape, const float* image, const float* weights, const float* bias,
                          bool relu, int64_t row, int64_t rows, float* out);
/// Adds the share of one image's output rows `row` to `row + rows`, whose gradient `gradient` is, to `sums`, laid out
/// as the weights.
void wide_windows_weight_gradient(const ConvolutionShape& shape, const float* image, const float* gradient, int64_t row,
                                  int64_t rows, float* sums);

}  // namespace percale::cpu
