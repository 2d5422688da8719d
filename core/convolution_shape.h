// A two-dimensional convolution in plain numbers: what every engine (oneDNN, cuDNN, our own loops) is asked with.
#pragma once

#include <cstdint>

namespace percale {

/// Images are [batch, height, width, channels] in memory, weights [out_channels, kernel_height, kernel_width,
/// in_channels / groups]; both as channels-last tensors are.
struct ConvolutionShape {
  int64_t batch, in_channels, in_height, in_width;
  int64_t out_channels, out_height, out_width;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width, padding_height, padding_width, dilation_height, dilation_width;
  int64_t groups;

  constexpr int64_t group_in_channels() const { return in_channels / groups; }
  constexpr int64_t group_out_channels() const { return out_channels / groups; }
  constexpr int64_t in_numel() const { return batch * in_height * in_width * in_channels; }
  constexpr int64_t out_numel() const { return batch * out_height * out_width * out_channels; }
  constexpr int64_t weight_numel() const { return out_channels * kernel_height * kernel_width * group_in_channels(); }
  /// Multiplications and additions of one image's forward pass.
  constexpr int64_t operations_per_image() const { return 2 * weight_numel() * out_height * out_width; }
};

/// The input position under tap `tap` of output position `out`, or -1 in the padding.
constexpr int64_t convolved_position(int64_t out, int64_t tap, int64_t stride, int64_t padding, int64_t dilation,
                                     int64_t extent) {
  const int64_t in = out * stride - padding + tap * dilation;
  return in >= 0 && in < extent ? in : -1;
}

/// The output position that tap `tap` joins to input position `in`, or -1 if there is none.
constexpr int64_t convolving_position(int64_t in, int64_t tap, int64_t stride, int64_t padding, int64_t dilation,
                                      int64_t extent) {
  const int64_t moved = in + padding - tap * dilation;
  return moved >= 0 && moved % stride == 0 && moved / stride < extent ? moved / stride : -1;
}

}  // namespace percale
