// Softmax along one dimension, and its logarithm.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// exp(x) / sum(exp(x)) along `dim` (negative ones count from the back), with the largest x subtracted first: no finite
/// x overflows. f32, f64, f16 and bf16 (computed in f32); the output has x's stride order. NaN where a row holds NaN,
/// +infinity, or nothing but -infinity.
Tensor softmax(const Tensor& x, int64_t dim);

/// x - log(sum(exp(x))) along `dim`, as `softmax`; exact where its result's logarithm would underflow.
Tensor log_softmax(const Tensor& x, int64_t dim);

}  // namespace percale
