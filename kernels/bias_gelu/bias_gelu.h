// A bias and the Gaussian error linear unit behind it: what follows a transformer's first feed-forward product.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// gelu(input + bias), exact (with erf), in one pass: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
/// Backward gives both gradients in one pass too.
///
/// `input` is [..., width] and `bias` [width], each of f32, f64, f16 or bf16. The result has the input's dtype; 16-bit
/// numbers are added and computed in f32, and an f32 bias beside them is not rounded first. The bias's gradient is
/// summed over fixed pieces of the rows, in order: the same bytes at any number of threads. Differentiable twice.
/// Errors: shapes that do not fit, dtypes that are not floating.
Tensor bias_gelu(const Tensor& input, const Tensor& bias);

}  // namespace percale
