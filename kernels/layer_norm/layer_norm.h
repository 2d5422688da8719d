// Layer normalisation: each row brought to mean 0 and variance 1, alone and after the sum of a residual connection.
#pragma once

#include <optional>

#include "../../core/tensor.h"

namespace percale {

/// (x - mean) / sqrt(variance + eps) * weight + bias over the last dimension; the variance is the biased one. Ba, Kiros
/// and Hinton, "Layer Normalization", 2016; PyTorch's `F.layer_norm`.
///
/// `input` is [..., width] of f32, f64, f16 or bf16, `weight` and `bias` are [width] of any of these (undefined: ones,
/// zeros). Statistics and arithmetic are in f32 (f64 where an operand is f64), whatever a PrecisionGuard says. The
/// result has the dtype that the operands promote to: rows of bf16 with parameters of f32 give f32, as what stands
/// between a model's layers is kept better than its products' operands are; all of bf16 gives bf16. Each gradient has
/// its operand's dtype.
///
/// A row's bytes depend on that row alone. Weight's and bias's gradients are sums over fixed pieces of the rows, in
/// order: the same bytes at any number of threads. Differentiable twice.
/// Errors: shapes that do not fit, dtypes that are not floating, a negative eps.
Tensor layer_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

/// layer_norm(input + residual) in one pass, the sum kept nowhere: backward adds again. `residual` has the shape of
/// `input`, and may be of another dtype: a bf16 `input` beside an f32 `residual` is added in f32, and gives f32.
/// `result` is the result's dtype, if not the one above: that of input and residual, where both have it and no operand
/// is f64.
Tensor add_layer_norm(const Tensor& input, const Tensor& residual, const Tensor& weight, const Tensor& bias,
                      double eps = 1e-5, std::optional<DType> result = {});

}  // namespace percale
