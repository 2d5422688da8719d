// What the two twins of nearest_neighbours implement, on contiguous tensors of f32 or f64.
#pragma once

#include "nearest_neighbours.h"

namespace percale {

namespace cpu {
/// queries [count, width] and rows [n, width] to similarity and index (i64) [count, k], in order; nothing is empty but
/// the width.
void nearest_neighbours(const Tensor& queries, const Tensor& rows, Similarity kind, const Tensor& similarity,
                        const Tensor& index);
}  // namespace cpu

namespace cuda {
void nearest_neighbours(const Tensor& queries, const Tensor& rows, Similarity kind, const Tensor& similarity,
                        const Tensor& index);
}  // namespace cuda

}  // namespace percale
