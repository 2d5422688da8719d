// Several tensors of one shape and different strides, walked together: dimensions sorted and merged once on the host.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "../../core/cpu/threads.h"
#include "../../core/tensor.h"

namespace percale {

/// The common walk over N operands: extents and strides (in elements), outermost first. Plain data, so that a CUDA
/// kernel takes it by value. Dimensions of extent 1 are gone; neighbours that step alike in every operand are one.
template <int N>
struct StridedWalk {
  int rank = 0;
  int64_t count = 1;
  int64_t extents[Shape::max_rank] = {};
  int64_t strides[N][Shape::max_rank] = {};

  /// True if every operand is one run of memory, element after element.
  bool is_dense() const {
    if (rank > 1) return false;
    for (int operand = 0; operand < N; ++operand)
      if (rank == 1 && strides[operand][0] != 1) return false;
    return true;
  }
};

/// The walk over `shape` in memory order of the first operand.
template <int N>
StridedWalk<N> strided_walk(const Shape& shape, const std::array<Strides, N>& strides) {
  std::array<int, Shape::max_rank> order{};
  int kept = 0;
  for (int dim = 0; dim < shape.rank(); ++dim)
    if (shape[dim] != 1) order[kept++] = dim;
  std::stable_sort(order.begin(), order.begin() + kept, [&](int a, int b) { return strides[0][a] > strides[0][b]; });
  StridedWalk<N> walk;
  for (int i = 0; i < kept; ++i) {
    const int dim = order[i];
    bool merges = walk.rank > 0;
    for (int operand = 0; operand < N && merges; ++operand)
      merges = walk.strides[operand][walk.rank - 1] == strides[operand][dim] * shape[dim];
    if (!merges) ++walk.rank;
    const int at = walk.rank - 1;
    walk.extents[at] = merges ? walk.extents[at] * shape[dim] : shape[dim];
    for (int operand = 0; operand < N; ++operand) walk.strides[operand][at] = strides[operand][dim];
    walk.count *= shape[dim];
  }
  return walk;
}

namespace cpu {

/// Calls `row(offsets, steps, count)` for runs along the innermost dimension: where each operand starts, by how much it
/// steps (both in elements), and how many there are. Rows are spread over threads in pieces of about `grain` elements.
template <int N, class Row>
void for_each_row(const StridedWalk<N>& walk, int64_t grain, Row&& row) {
  if (walk.count == 0) return;
  std::array<int64_t, N> steps{};
  const int inner = walk.rank - 1;
  const int64_t length = walk.rank ? walk.extents[inner] : 1;
  for (int operand = 0; operand < N; ++operand) steps[operand] = walk.rank ? walk.strides[operand][inner] : 1;
  if (walk.rank <= 1) {
    parallel_for(length, grain, [&](int64_t begin, int64_t end) {
      std::array<int64_t, N> offsets{};
      for (int operand = 0; operand < N; ++operand) offsets[operand] = begin * steps[operand];
      row(offsets, steps, end - begin);
    });
    return;
  }
  const int64_t rows = walk.count / length;
  parallel_for(rows, std::max<int64_t>(grain / length, 1), [&](int64_t begin, int64_t end) {
    std::array<int64_t, Shape::max_rank> position{};
    std::array<int64_t, N> offsets{};
    int64_t rest = begin;
    for (int dim = inner - 1; dim >= 0; --dim) {
      position[dim] = rest % walk.extents[dim];
      rest /= walk.extents[dim];
      for (int operand = 0; operand < N; ++operand) offsets[operand] += position[dim] * walk.strides[operand][dim];
    }
    for (int64_t i = begin; i < end; ++i) {
      row(offsets, steps, length);
      for (int dim = inner - 1; dim >= 0; --dim) {
        for (int operand = 0; operand < N; ++operand) offsets[operand] += walk.strides[operand][dim];
        if (++position[dim] < walk.extents[dim]) break;
        for (int operand = 0; operand < N; ++operand)
          offsets[operand] -= walk.extents[dim] * walk.strides[operand][dim];
        position[dim] = 0;
      }
    }
  });
}

}  // namespace cpu
}  // namespace percale
