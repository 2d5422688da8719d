// The entries of an index sorted by the row of a table that they name, and sums over each row's entries: what gradients
// of tables are made of on CUDA. After device.h, in a `_cuda.cu` file.
//
// A warp takes a fixed number of sorted entries. Rows whose entries it holds all are done; the first and the last row
// may go on in its neighbours, so their sums are handed on as entries of a list a thirty-second as long, which is
// treated alike, until one warp holds all. The order of the sums depends on the entries alone; there are no atomics.
#pragma once

#include <bit>

#include "../../core/cuda/sort.h"
#include "../../core/tensor.h"
#include "convert.h"
#include "device.h"

namespace percale::cuda {

inline constexpr index_t no_row = -1;
inline constexpr index_t entries_a_warp = 64;

template <class Index>
__global__ void number_entries_kernel(const Index* index, uint32_t* keys, uint32_t* positions, index_t count,
                                      index_t rows) {
  for (index_t i : grid_stride(count)) {
    const auto row = static_cast<index_t>(index[i]);
    keys[i] = static_cast<uint32_t>(row >= 0 && row < rows ? row : rows);  // what names no row comes last
    positions[i] = static_cast<uint32_t>(i);
  }
}

/// The entries of `index` [count] in the order of their rows (stable); those outside of the table have the key `rows`.
struct SortedEntries {
  int64_t count, rows;

  SortedEntries(const Tensor& index, int64_t rows) : count(index.numel()), rows(rows) {
    require(rows < 0xffffffff && count < 0xffffffff, "embedding",
            "{} entries of a table of {} rows are more than can be sorted", count, rows);
    const auto numbers = [&] { return Tensor::empty({count}, {i32, index.device()}); };
    const Tensor unsorted_keys = numbers(), unsorted_positions = numbers();
    keys_ = numbers();
    positions_ = numbers();
    const int bits = std::bit_width(static_cast<uint64_t>(rows));
    const Tensor workspace = Tensor::empty({static_cast<int64_t>(sort_workspace(count, bits))}, {u8, index.device()});
    visit_index("embedding", index.dtype(), [&]<class Index>() {
      launch(number_entries_kernel<Index>, blocks_for(count), 256, 0, current_stream(), index.data<Index>(),
             words(unsorted_keys), words(unsorted_positions), count, rows);
    });
    sort_pairs(words(unsorted_keys), words(keys_), words(unsorted_positions), words(positions_), count, bits,
               workspace.data(), current_stream());
  }

  const uint32_t* keys() const { return words(keys_); }
  const uint32_t* positions() const { return words(positions_); }

 private:
  static uint32_t* words(const Tensor& tensor) { return reinterpret_cast<uint32_t*>(tensor.data<int32_t>()); }

  Tensor keys_, positions_;  ///< i32: there is no dtype of uint32_t
};

/// Where the entries of the first level come from: rows of a matrix, by their positions.
template <class T>
struct MatrixRows {
  const uint32_t* keys;
  const uint32_t* positions;
  const T* values;
  index_t width;
  uint32_t rows;

  __device__ index_t row(index_t i) const { return keys[i] < rows ? static_cast<index_t>(keys[i]) : no_row; }
  template <int count>
  __device__ Vector<compute_t<T>, count> load(index_t i, index_t column) const {
    return convert_to<compute_t<T>>(load_vector<count>(values + static_cast<index_t>(positions[i]) * width + column));
  }
};

/// And of the later ones: sums that went on.
template <class Sum>
struct Partials {
  index_t* rows;
  Sum* sums;
  index_t width;

  __device__ index_t row(index_t i) const { return rows[i]; }
  template <int count>
  __device__ Vector<Sum, count> load(index_t i, index_t column) const {
    return load_vector<count>(sums + i * width + column);
  }
};

/// A block's warps take `entries_a_warp` entries each, in 32 * vector columns; blocks go across the columns first.
/// `sink(row, column, sum)` gets each row that is done, once; `next` gets two entries a warp, or has no memory where
/// one warp holds all.
template <int vector, class Sum, class Source, class Sink>
__global__ void sum_segments_kernel(Source source, Sink sink, Partials<Sum> next, index_t count, index_t width,
                                    const ErrorRecord* error) {
  if (has_error(error)) return;
  const unsigned across = static_cast<unsigned>((width + warp_size * vector - 1) / (warp_size * vector));
  const index_t warp = static_cast<index_t>(blockIdx.x / across) * (blockDim.x / warp_size) + warp_index();
  const index_t column = (static_cast<index_t>(blockIdx.x % across) * warp_size + lane_index()) * vector;
  const index_t begin = warp * entries_a_warp, end = begin + entries_a_warp < count ? begin + entries_a_warp : count;
  if (begin >= count || column >= width) return;
  Vector<Sum, vector> sum = {};
  index_t current = no_row, edges[2] = {no_row, no_row};
  bool first = true;
  auto finish = [&](bool last) {
    if (current == no_row) return;
    if (!next.rows || !(first || last)) {
      sink(current, column, sum);
    } else {
      edges[first ? 0 : 1] = current;
      store_vector(next.sums + (2 * warp + (first ? 0 : 1)) * width + column, sum);
    }
    first = false;
  };
  for (index_t i = begin; i < end; ++i) {
    const index_t row = source.row(i);
    if (row == no_row) continue;
    const Vector<Sum, vector> value = source.template load<vector>(i, column);
    if (row != current) {
      finish(false);
      current = row;
      sum = {};  // and not the first value itself: -0 alone sums to +0, as elsewhere
    }
#pragma unroll
    for (int k = 0; k < vector; ++k) sum[k] = sum[k] + value[k];
  }
  finish(true);
  if (next.rows && column == 0) {
    next.rows[2 * warp] = edges[0];
    next.rows[2 * warp + 1] = edges[1];
  }
}

template <int vector, class Sum, class Source, class Sink>
void sum_level(const Source& source, const Sink& sink, int64_t count, int64_t width, Device device) {
  const int64_t warps = (count + entries_a_warp - 1) / entries_a_warp;
  constexpr int warps_a_block = 4;
  const bool last = warps == 1;
  const Tensor rows = Tensor::empty({last ? 0 : 2 * warps}, {i64, device});
  const Tensor sums = Tensor::empty({last ? 0 : 2 * warps * width}, {dtype_of<Sum>, device});
  const Partials<Sum> next{last ? nullptr : rows.data<int64_t>(), last ? nullptr : sums.data<Sum>(), width};
  const int64_t across = (width + warp_size * vector - 1) / (warp_size * vector);
  const int64_t blocks = (warps + warps_a_block - 1) / warps_a_block * across;
  launch(sum_segments_kernel<vector, Sum, Source, Sink>, blocks, warps_a_block * warp_size, 0, current_stream(), source,
         sink, next, count, width, error_record());
  if (!last) sum_level<vector, Sum>(next, sink, 2 * warps, width, device);
}

/// Calls `sink(row, column, Vector of sums)` on the device for each row that `entries` name and each piece of its
/// columns: the sum of those rows of `values` [count, width], in an order that the entries alone decide. `sink.address`
/// is where it writes, rows of `width` elements of T. Does nothing after a bad index.
template <class T, class Sink>
void sum_segments(const SortedEntries& entries, const Tensor& values, const Sink& sink) {
  const int64_t width = values.size(-1);
  const MatrixRows<T> source{entries.keys(), entries.positions(), values.data<T>(), width,
                             static_cast<uint32_t>(entries.rows)};
  constexpr int most = wide<compute_t<T>>;
  if (width % most == 0 && is_aligned<most>(values.data<T>()) && is_aligned<most>(sink.address))
    sum_level<most, compute_t<T>>(source, sink, entries.count, width, values.device());
  else
    sum_level<1, compute_t<T>>(source, sink, entries.count, width, values.device());
}

}  // namespace percale::cuda
