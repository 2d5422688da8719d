// The five operations that core needs and kernels/fill and kernels/elementwise define: the only seam between the two.
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
/// The gradient of a tensor of `shape` that was broadcast to the shape of `gradient`: summed over what was repeated.
/// Differentiable.
Tensor sum_to_shape(const Tensor& gradient, const Shape& shape);

}  // namespace percale
