// The gradient of what was broadcast: expand needs it here, kernels/elementwise defines it by one sum.
#pragma once

#include "tensor.h"

namespace percale {

/// The gradient of a tensor of `shape` that was broadcast to the shape of `gradient`: summed over what was repeated.
/// Differentiable.
Tensor sum_to_shape(const Tensor& gradient, const Shape& shape);

}  // namespace percale
