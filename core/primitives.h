// The four operations that core needs and kernels/fill defines: the only seam between the two.
#pragma once

#include "tensor.h"

namespace percale {

/// Sets every element of `target` (any strides) to `value`, converted to its dtype.
void fill(const Tensor& target, double value);
/// Writes `source` into `target`: same shape; any strides, dtypes and devices on either side.
void copy(const Tensor& source, const Tensor& target);
/// `source` converted, in its stride order. Differentiable.
Tensor cast(const Tensor& source, DType dtype);
/// target += addend: same shape, device and dtype; any strides.
void add_into(const Tensor& target, const Tensor& addend);

}  // namespace percale
