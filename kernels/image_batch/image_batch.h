// Batches of images that are kept as bytes: gathered, converted and normalised in one pass.
#pragma once

#include <vector>

#include "../../core/tensor.h"

namespace percale {

/// The images that `rows` names, as a network takes them: (byte / 255 - mean[c]) / std[c] in f32, as torchvision's
/// ToTensor and Normalize give it, bit for bit.
/// @param images u8 [count, C, H, W], row-major, C at most 64.
/// @param rows i64 or i32 [batch], on the same device.
/// @param mean, std a number a channel, or one for all.
/// Returns f32 [batch, C, H, W] with the channels innermost in memory.
/// Errors: a row that is not there, with its position (on CUDA at the next synchronising call); other shapes or dtypes.
Tensor image_batch(const Tensor& images, const Tensor& rows, const std::vector<double>& mean = {0.0},
                   const std::vector<double>& std = {1.0});

}  // namespace percale
