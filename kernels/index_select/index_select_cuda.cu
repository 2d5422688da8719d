#include "../common/convert.h"
#include "../common/device.h"
#include "index_select_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// Moves rows in units of `bytes`. A bad index is reported once, and position 0 read in its place.
template <int bytes, class Index>
__global__ void gather_kernel(const uint8_t* from, const Index* index, uint8_t* to, SelectShape shape,
                              index_t row_units, ErrorReporter reporter) {
  for (index_t i : grid_stride(shape.outer * shape.count * row_units)) {
    const index_t row = i / row_units, unit = i % row_units, outer = row / shape.count, k = row % shape.count;
    index_t position = static_cast<index_t>(index[k]);
    if (position < 0 || position >= shape.extent) {
      if (unit == 0 && outer == 0) report_bad_index(reporter, k, position, shape.extent);
      position = 0;
    }
    store_vector(to + i * bytes,
                 load_vector<bytes>(from + ((outer * shape.extent + position) * row_units + unit) * bytes));
  }
}

constexpr int per_lane = 4, columns_a_warp = per_lane * warp_size;

/// A warp owns 128 columns of one row of the result: it looks through the whole index, 32 positions at a time, and adds
/// what belongs to it in order. No atomics, no sorting; the work is rows x index / 32 comparisons.
template <class T, class Index>
__global__ void sum_rows_kernel(const T* gradient, const Index* index, T* result, SelectShape shape) {
  const int lane = lane_index();
  const index_t warps = static_cast<index_t>(gridDim.x) * (threads / warp_size);
  const index_t pieces = (shape.inner + columns_a_warp - 1) / columns_a_warp;
  const index_t tasks = shape.outer * shape.extent * pieces;
  for (index_t task = static_cast<index_t>(blockIdx.x) * (threads / warp_size) + warp_index(); task < tasks;
       task += warps) {
    const index_t row = task / pieces, first = task % pieces * columns_a_warp + lane;
    const T* from = gradient + row / shape.extent * shape.count * shape.inner;
    compute_t<T> sums[per_lane] = {};
    for (index_t k = 0; k < shape.count; k += warp_size) {
      const bool mine = k + lane < shape.count && static_cast<index_t>(index[k + lane]) == row % shape.extent;
      for (unsigned found = __ballot_sync(full_mask, mine); found; found &= found - 1) {
        const T* values = from + (k + __ffs(static_cast<int>(found)) - 1) * shape.inner;
#pragma unroll
        for (int j = 0; j < per_lane; ++j)
          if (first + j * warp_size < shape.inner) sums[j] += static_cast<compute_t<T>>(values[first + j * warp_size]);
      }
    }
#pragma unroll
    for (int j = 0; j < per_lane; ++j)
      if (first + j * warp_size < shape.inner)
        result[row * shape.inner + first + j * warp_size] = percale::convert_to<T>(sums[j]);
  }
}

template <int bytes>
bool fits(const uint8_t* from, const uint8_t* to, int64_t row_bytes) {
  return row_bytes % bytes == 0 && is_aligned<bytes>(from) && is_aligned<bytes>(to);
}

template <int bytes, class Index>
void gather(const uint8_t* from, const Tensor& index, uint8_t* to, const SelectShape& shape, int64_t row_bytes) {
  const int64_t units = row_bytes / bytes;
  launch(gather_kernel<bytes, Index>, blocks_for(shape.outer * shape.count * units, threads), threads, 0,
         current_stream(), from, index.data<Index>(), to, shape, units,
         error_reporter("index_select", index.shape(), current_stream(), select_message));
}

}  // namespace

void index_select(const Tensor& x, const Tensor& index, const Tensor& result, const SelectShape& shape) {
  const auto row_bytes = shape.inner * static_cast<int64_t>(size_of(x.dtype()));
  const auto* from = static_cast<const uint8_t*>(x.data());
  auto* to = static_cast<uint8_t*>(result.data());
  visit_index("index_select", index.dtype(), [&]<class Index>() {
    if (fits<16>(from, to, row_bytes))
      gather<16, Index>(from, index, to, shape, row_bytes);
    else if (fits<4>(from, to, row_bytes))
      gather<4, Index>(from, index, to, shape, row_bytes);
    else
      gather<1, Index>(from, index, to, shape, row_bytes);
  });
}

void index_select_gradient(const Tensor& gradient, const Tensor& index, const Tensor& result,
                           const SelectShape& shape) {
  const int64_t tasks = shape.outer * shape.extent * ((shape.inner + columns_a_warp - 1) / columns_a_warp);
  visit_floating("index_select", result.dtype(), [&]<class T>() {
    visit_index("index_select", index.dtype(), [&]<class Index>() {
      launch(sum_rows_kernel<T, Index>, blocks_for(tasks, threads / warp_size), threads, 0, current_stream(),
             gradient.data<T>(), index.data<Index>(), result.data<T>(), shape);
    });
  });
}

}  // namespace percale::cuda
