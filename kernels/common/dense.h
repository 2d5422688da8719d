// Operands without holes in the type they are computed in, copied only where they must be. They have no history.
#pragma once

#include "../../core/primitives.h"
#include "../../core/tensor.h"

namespace percale {

/// f32 for the 16-bit dtypes, itself for f32 and f64.
constexpr DType compute_dtype(DType dtype) { return dtype == f16 || dtype == bf16 ? f32 : dtype; }

/// x, dense in its own stride order and in its compute dtype.
inline Tensor dense(const Tensor& x) {
  const DType compute = compute_dtype(x.dtype());
  if (x.is_dense() && x.dtype() == compute) return x.detach();
  const Tensor result = Tensor::empty_like(x, compute);
  copy(x.detach(), result);
  return result;
}

/// x in the strides and dtype of `layout`, which has its shape.
inline Tensor laid_out_as(const Tensor& layout, const Tensor& x) {
  if (x.dtype() == layout.dtype() && x.strides() == layout.strides()) return x.detach();
  const Tensor result = Tensor::empty_like(layout);
  copy(x.detach(), result);
  return result;
}

}  // namespace percale
