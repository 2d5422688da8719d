// Products of matrices and vectors, in batches that broadcast.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// The product of `a` and `b` as PyTorch's matmul defines it, by their ranks:
///
/// | a | b | result |
/// |---|---|---|
/// | [k] | [k] | [] the dot product |
/// | [m, k] | [k] | [m] |
/// | [k] | [k, n] | [n] |
/// | [m, k] | [k, n] | [m, n] |
/// | [..., m, k] | [..., k, n] | [..., m, n], the leading dimensions broadcast |
///
/// f32, f64, f16 or bf16, the same on both sides; the 16-bit ones are summed in f32. Any strides: a transpose costs
/// nothing. Under a PrecisionGuard of bf16, f32 operands are rounded and so is the result. Errors: ranks of 0, inner
/// extents that differ, leading ones that do not broadcast, different dtypes or devices.
///
/// On the CPU an element is one chain of fused multiply-adds: its bytes do not depend on threads, batch or layout.
Tensor matmul(const Tensor& a, const Tensor& b);

}  // namespace percale
