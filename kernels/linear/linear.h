// Fully connected layers: x W^T + b, alone and fused with the ReLU behind it.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// x W^T + b for `x` [..., in], `weight` [out, in] and `bias` [out] (undefined: none): the result is [..., out].
///
/// f32, f64, f16 or bf16, the same throughout; the 16-bit ones are summed in f32. Under a PrecisionGuard of bf16, f32
/// operands are rounded and so is the result; under one of int8 a layer of f32 on the CPU that records no gradient is
/// computed in 8-bit integers (linear_int8). Errors: shapes that do not fit, different dtypes or devices.
///
/// On the CPU a row of the result has the same bytes whatever other rows stand beside it, however many threads compute
/// it, with AVX2 and with AVX-512. In inference the weights of batches of 8 rows and more are packed once a version
/// (core/cpu/onednn.h, `packed_weights`). On CUDA the same holds among few rows, which a kernel of our own computes
/// (linear_cuda.cu has the table), and among many, which cuBLASLt does.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

/// relu(linear(x, weight, bias)), the same bytes, in one step; so is its gradient: the ReLU's mask and the bias's
/// gradient take one pass over what comes from upstream. On CUDA cuBLASLt's own ReLU may make 0 of a NaN in many rows.
Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

/// gelu(linear(x, weight, bias)), by the normal distribution itself. Without gradients and in bf16 on a CPU with
/// AVX512-BF16 it is one step, rounded once; else as `bias_gelu` behind the product.
Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace percale
