// Fully connected layers: x W^T + b, alone and fused with the ReLU behind it.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// x W^T + b for `x` [..., in], `weight` [out, in] and `bias` [out] (undefined: none): the result is [..., out].
///
/// f32, f64, f16 or bf16, the same throughout; the 16-bit ones are summed in f32. Under a PrecisionGuard of bf16, f32 operands
/// are rounded and so is the result. Errors: shapes that do not fit, different dtypes or devices.
///
/// A row of the result has the same bytes whatever other rows stand beside it and however many threads compute it.
/// In inference on the CPU the weights of larger batches are packed once a version (core/cpu/onednn.h, `packed_weights`).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

/// relu(linear(x, weight, bias)), the same bytes, in one step; so is its gradient: the ReLU's mask and the bias's
/// gradient take one pass over what comes from upstream.
Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace percale
