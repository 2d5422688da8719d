// What the two twins of top_k implement, on contiguous tensors, and the order in which elements come.
#pragma once

#include "../../core/dtype.h"
#include "../../core/tensor.h"

namespace percale {

/// Whether element `a` at `i` comes before `b` at `j`.
template <class T>
PERCALE_HOST_DEVICE inline bool top_k_before(T a, int64_t i, T b, int64_t j, bool largest) {
  const bool a_nan = a != a, b_nan = b != b;
  if (a_nan != b_nan) return a_nan == largest;
  if (a_nan || a == b) return i < j;
  return largest ? a > b : a < b;
}

namespace cpu {
/// x [rows, length] to values and index (i64) [rows, k].
void top_k(const Tensor& x, bool largest, const Tensor& values, const Tensor& index);
/// result [rows, length] is zero but at the `index` [rows, k] of a row, where it is `gradient` [rows, k].
void top_k_gradient(const Tensor& gradient, const Tensor& index, const Tensor& result);
}  // namespace cpu

namespace cuda {
void top_k(const Tensor& x, bool largest, const Tensor& values, const Tensor& index);
void top_k_gradient(const Tensor& gradient, const Tensor& index, const Tensor& result);
}  // namespace cuda

}  // namespace percale
