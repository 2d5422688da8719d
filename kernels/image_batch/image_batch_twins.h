// What the two twins of image_batch implement.
#pragma once

#include "../../core/half.h"
#include "../../core/tensor.h"

namespace percale {

/// What bytes are normalised by, a channel each; plain data, so that a CUDA kernel takes it by value.
struct ImageNormalization {
  static constexpr int max_channels = 64;
  float mean[max_channels], std[max_channels];

  PERCALE_HOST_DEVICE float value(uint8_t byte, int64_t channel) const {
    return (static_cast<float>(byte) / 255.0f - mean[channel]) / std[channel];
  }
};

inline constexpr const char* image_row_message =
    "row {value} at position {position} is out of range for {bound} images";

namespace cpu {
void image_batch(const Tensor& images, const Tensor& rows, const ImageNormalization& normalization,
                 const Tensor& batch);
}
namespace cuda {
void image_batch(const Tensor& images, const Tensor& rows, const ImageNormalization& normalization,
                 const Tensor& batch);
}

}  // namespace percale
