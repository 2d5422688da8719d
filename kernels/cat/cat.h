// Tensors joined along a dimension that they have, or along a new one.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// The tensors one after the other along `dim` (negative ones count from the back). They agree in every other extent;
/// dtypes are promoted as in PyTorch, and a tensor of shape [0] is left out. The result's elements lie in the first
/// one's order of dimensions. Any dtype, one device. Errors: no tensors; ranks, extents or devices that differ; rank 0.
Tensor cat(const Tensors& tensors, int64_t dim = 0);

/// The tensors, all of one shape, along a new dimension at `dim`. All else as cat.
Tensor stack(const Tensors& tensors, int64_t dim = 0);

}  // namespace percale
