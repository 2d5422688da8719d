// The best of many in a total order, by a block of threads, one after the other: what top_k and nearest_neighbours
// choose by on CUDA. After device.h, in a `_cuda.cu` file.
#pragma once

#include "device.h"

namespace percale::cuda {

/// No element: comes behind all.
inline constexpr int64_t no_index = -1;

/// `before(a, b)` with elements that are not there behind all.
template <class T, class Before>
__device__ bool comes_before(const Found<T>& a, const Found<T>& b, Before before) {
  if (a.index == no_index || b.index == no_index) return b.index == no_index && a.index != no_index;
  return before(a, b);
}

/// The first in the order `before` among the `count` elements `at(i)` that come after `last` (all do if it is not
/// there); every thread gets it. The order is total, so the answer does not depend on the block.
template <class T, class At, class Before>
__device__ Found<T> best_after(const Found<T>& last, index_t count, At at, Before before,
                               BlockScratch<Found<T>>& scratch) {
  Found<T> best{T(0), no_index};
  for (index_t i = threadIdx.x; i < count; i += blockDim.x) {
    const Found<T> here = at(i);
    if (here.index == no_index || (last.index != no_index && !before(last, here))) continue;
    if (comes_before(here, best, before)) best = here;
  }
  auto combine = [before](const Found<T>& a, const Found<T>& b) { return comes_before(b, a, before) ? b : a; };
  return block_reduce(best, combine, Found<T>{T(0), no_index}, scratch);
}

}  // namespace percale::cuda
