// The largest or smallest elements along a dimension, and where they stand.
#pragma once

#include <utility>

#include "../../core/tensor.h"

namespace percale {

/// The `k` largest (or smallest) elements along `dim` in order, and their positions: PyTorch's topk, with one order for
/// all: of equal elements the lower position comes first, and NaN is larger than any number. The gradient of the values
/// goes to the elements that were chosen.
/// @param x any dtype but bool, rank 1 to 8.
/// @param k 0 to the extent of `dim`. On CUDA up to 32 elements are looked for one after the other, and more are taken
/// from the sorted rows, for which there is memory for four words an element (not from 2^32 elements on).
/// Returns values of x's dtype and positions of i64, both of x's shape with k for `dim`.
/// Errors: a k that is not there, bool, a tensor without dimensions.
std::pair<Tensor, Tensor> top_k(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true);

}  // namespace percale
