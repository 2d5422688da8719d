// Convolutions whose windows hold few values (a grey or colour image under a small kernel): lanes are output channels.
// oneDNN's lanes are input channels, of which there are none to fill them.
#pragma once

#include <vector>

#include "../../core/convolution_shape.h"
#include "../../core/tensor.h"
#include "output_gradient.h"
#include "padded_image.h"

namespace percale::cpu {

constexpr int64_t most_window_values = 32;

inline bool has_few_channels(const ConvolutionShape& s) {
  return s.groups == 1 && s.kernel_height * s.kernel_width * s.in_channels <= most_window_values;
}

/// Weights lie here as [value of the window][output channel], zeros behind the last channel. Floats from one value's to
/// the next: output channels, rounded up.
inline int64_t value_pitch(const ConvolutionShape& s) { return (s.out_channels + 15) / 16 * 16; }
inline int64_t packed_values_numel(const ConvolutionShape& s) {
  return s.kernel_height * s.kernel_width * s.in_channels * value_pitch(s);
}
void pack_values(const ConvolutionShape& s, const Tensor& weight, float* packed);

/// What the loops ask of a convolution: its windows' values, in the order of their sums.
struct FewChannels {
  ConvolutionShape shape;
  int64_t values;                       ///< of a window
  int64_t pitch;                        ///< value_pitch
  int32_t offsets[most_window_values];  ///< of each value from its window's first one, in the padded image

  explicit FewChannels(const ConvolutionShape& shape);
};

/// `rows` output rows of one image from its padded part. `bias` has `pitch` floats.
void few_channels_forward(const FewChannels& few, const PaddedImage& padded, const float* in, const float* weights,
                          const float* bias, int64_t rows, float* out);
/// The same through ReLU and a 2 x 2 max pool: `rows` / 2 rows of pooled values and of their windows' positions.
void few_channels_forward_pooled(const FewChannels& few, const PaddedImage& padded, const float* in,
                                 const float* weights, const float* bias, int64_t rows, float* pooled,
                                 uint8_t* position);
/// Adds one image's share to `sums`, [value][output channel] as the weights.
void few_channels_weight_gradient(const FewChannels& few, const PaddedImage& padded, const float* in,
                                  const OutputGradient& gradient, float* sums);

}  // namespace percale::cpu
