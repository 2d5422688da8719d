// Positions of one dimension picked by index.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// x with the positions of `dim` that `index` names, in its order, repeated where it repeats. The gradient sums over
/// repetitions in the order of the index: the same bytes each run.
/// @param x any dtype, rank 1 to 8; the result's elements lie in x's order of dimensions.
/// @param dim negative ones count from the back.
/// @param index i64 or i32, [count] or without dimensions (then count is 1). Negative positions are out of range.
/// Errors: an index that is not there, with its position (on CUDA at the next synchronising call, and position 0 is
/// read).
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);

}  // namespace percale
