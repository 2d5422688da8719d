// A row of numbers shared by a warp or a block that keeps it in registers: what normalisation reads several times.
// After device.h, in a `_cuda.cu` file.
#pragma once

#include "convert.h"
#include "device.h"
#include "device_exponentials.h"
#include "row_statistics.h"

namespace percale::cuda {

template <class A>
__device__ A normalised(A x, const RowStatistics<A>& by) {
  return multiply_add(x - by.shift, by.scale, by.offset);
}

/// A norm's result for the elements from `i` on of a row: normalised, times weight and plus bias where these are not
/// null.
template <class Y, class A, int vector>
__device__ Vector<Y, vector> scaled(const Vector<A, vector>& values, const RowStatistics<A>& by, const A* weights,
                                    const A* biases, index_t i) {
  Vector<Y, vector> result;
#pragma unroll
  for (int k = 0; k < vector; ++k) {
    const A weight = weights ? weights[i + k] : A(1), bias = biases ? biases[i + k] : A(0);
    result[k] = percale::convert_to<Y>(multiply_add(normalised(values[k], by), weight, bias));
  }
  return result;
}

template <class A>
struct TwoSums {
  A first, second;
};

namespace combine {
struct BothSums {
  template <class A>
  __device__ TwoSums<A> operator()(const TwoSums<A>& a, const TwoSums<A>& b) const {
    return {a.first + b.first, a.second + b.second};
  }
};
}  // namespace combine

/// Rows of a column that a block sums: by their number alone, so that the bytes are the same on every GPU.
inline int64_t rows_of_piece(int64_t rows) {
  int64_t piece = 256;
  while (piece * 1024 < rows) piece *= 2;
  return piece;
}

inline constexpr int row_block = 256;  ///< threads a block

/// The row that this group of threads works on.
template <int group>
__device__ index_t row_of_group() {
  return static_cast<index_t>(blockIdx.x) * (row_block / group) + threadIdx.x / group;
}
template <int group>
int64_t blocks_of_rows(int64_t rows) {
  return (rows * group + row_block - 1) / row_block;
}

/// A group's row: the first `steps` vectors of each thread stay in registers, those behind them are loaded each time.
/// Which thread has an element depends on the width alone, so a row's sums do not depend on the other rows.
template <int group, int vector, class A, class Source>
struct KeptRow {
  static constexpr int steps = 8;
  const Source source;
  const index_t width;
  const int thread;
  Vector<A, vector> kept[steps];

  __device__ KeptRow(const Source& source, index_t width)
      : source(source), width(width), thread(static_cast<int>(threadIdx.x) % group) {
    for_each_kept([&](int step, index_t i) { kept[step] = source.template load<vector>(i); });
  }

  __device__ index_t at(int step) const { return static_cast<index_t>(step * group + thread) * vector; }

  /// Calls `body(step, i)` for those of this thread's vectors that stay.
  template <class Body>
  __device__ void for_each_kept(Body body) const {
#pragma unroll
    for (int step = 0; step < steps; ++step)
      if (at(step) < width) body(step, at(step));
  }
  /// Calls `body(i, values)` for this thread's vectors.
  template <class Body>
  __device__ void for_each(Body body) const {
    for_each_kept([&](int step, index_t i) { body(i, kept[step]); });
    for (index_t i = at(steps); i < width; i += group * vector) body(i, source.template load<vector>(i));
  }
  /// The same for two rows at once.
  template <class Other, class Body>
  __device__ void for_each_with(const Other& other, Body body) const {
    for_each_kept([&](int step, index_t i) { body(i, kept[step], other.kept[step]); });
    for (index_t i = at(steps); i < width; i += group * vector)
      body(i, source.template load<vector>(i), other.source.template load<vector>(i));
  }
};

/// All threads of the group get them.
template <int group, int vector, class A, class Source>
__device__ RowStatistics<A> statistics_of(const KeptRow<group, vector, A, Source>& x, index_t width, double eps) {
  A sum = 0;
  x.for_each([&](index_t, const Vector<A, vector>& values) {
#pragma unroll
    for (int k = 0; k < vector; ++k) sum += values[k];
  });
  const A shift =
      group_reduce<group>(TwoSums<A>{sum, A(0)}, combine::BothSums{}, TwoSums<A>{}).first / static_cast<A>(width);
  TwoSums<A> sums{};
  x.for_each([&](index_t, const Vector<A, vector>& values) {
#pragma unroll
    for (int k = 0; k < vector; ++k) {
      const A apart = values[k] - shift;
      sums.first += apart;
      sums.second = multiply_add(apart, apart, sums.second);
    }
  });
  sums = group_reduce<group>(sums, combine::BothSums{}, TwoSums<A>{});
  return row_statistics(shift, sums.first, sums.second, width, eps);
}

/// Calls `body.operator()<group, vector>()` with what suits rows of this width at these addresses (null ones fit all).
template <class A, class Body, class... Addresses>
void with_group(int64_t width, Body body, const Addresses*... addresses) {
  constexpr int most = wide<A>;
  const bool vectors = width % most == 0 && (is_aligned<most>(addresses) && ...);
  if (width <= 1024) {
    if (vectors)
      body.template operator()<warp_size, most>();
    else
      body.template operator()<warp_size, 1>();
  } else {
    if (vectors)
      body.template operator()<row_block, most>();
    else
      body.template operator()<row_block, 1>();
  }
}

}  // namespace percale::cuda
