// What the two twins of matmul implement. Shapes, dtypes and devices are checked before.
#pragma once

#include "../../core/tensor.h"

namespace percale::cpu {
/// out[batch..., m, n] = a[batch..., m, k] b[batch..., k, n]: the same batch extents (strides may be 0), out
/// contiguous.
void matmul(const Tensor& a, const Tensor& b, const Tensor& out);
}  // namespace percale::cpu

namespace percale::cuda {
void matmul(const Tensor& a, const Tensor& b, const Tensor& out);
}  // namespace percale::cuda
