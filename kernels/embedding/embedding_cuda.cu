#include "../common/device.h"
#include "../common/device_segments.h"
#include "embedding_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// Moves rows in units of `bytes`. A bad index is reported once, and row 0 read in its place.
template <int bytes, class Index>
__global__ void gather_kernel(const uint8_t* table, const Index* index, uint8_t* rows, index_t count, index_t units,
                              index_t bound, ErrorReporter reporter) {
  for (index_t i : grid_stride(count * units)) {
    const index_t entry = i / units, unit = i % units;
    auto row = static_cast<index_t>(index[entry]);
    if (row < 0 || row >= bound) {
      if (unit == 0) report_bad_index(reporter, entry, row, bound);
      row = 0;
    }
    store_vector(rows + i * bytes, load_vector<bytes>(table + (row * units + unit) * bytes));
  }
}

template <int bytes, class Index>
void gather(const Tensor& table, const Tensor& index, const Tensor& rows, int64_t row_bytes) {
  const int64_t units = row_bytes / bytes;
  launch(gather_kernel<bytes, Index>, blocks_for(index.numel() * units, threads), threads, 0, current_stream(),
         static_cast<const uint8_t*>(table.data()), index.data<Index>(), static_cast<uint8_t*>(rows.data()),
         index.numel(), units, table.size(0), error_reporter("embedding", index.shape()));
}

/// Each row's sum, as it is done, goes where the row is.
template <class T>
struct StoreRow {
  T* address;
  index_t width;

  template <class Sum, int count>
  __device__ void operator()(index_t row, index_t column, const Vector<Sum, count>& sum) const {
#pragma unroll
    for (int k = 0; k < count; ++k) address[row * width + column + k] = percale::convert_to<T>(sum[k]);
  }
};

template <class Index>
__global__ void check_kernel(const Index* index, index_t count, index_t bound, ErrorReporter reporter) {
  for (index_t i : grid_stride(count)) {
    const auto row = static_cast<index_t>(index[i]);
    if (row < 0 || row >= bound) report_bad_index(reporter, i, row, bound);
  }
}

/// The norm of a row, by a warp, in f64.
template <class T>
__device__ double norm_of(const T* row, index_t width, double type) {
  const bool largest = isinf(type);
  double norm = 0;
  for (index_t i = lane_index(); i < width; i += warp_size) {
    const double size = fabs(static_cast<double>(static_cast<compute_t<T>>(row[i])));
    norm = largest ? (size > norm ? size : norm) : norm + (type == 2 ? size * size : pow(size, type));
  }
  norm = largest ? warp_max(norm) : warp_sum(norm);
  return largest ? norm : type == 2 ? sqrt(norm) : pow(norm, 1 / type);
}

/// A warp an entry; the first of each row's entries shrinks it.
template <class T>
__global__ void renormalise_kernel(T* table, const uint32_t* keys, index_t count, uint32_t rows, index_t width,
                                   double max_norm, double type, const ErrorRecord* error) {
  if (has_error(error)) return;
  const index_t entry = static_cast<index_t>(blockIdx.x) * (threads / warp_size) + warp_index();
  if (entry >= count || keys[entry] >= rows || (entry > 0 && keys[entry - 1] == keys[entry])) return;
  T* row = table + static_cast<index_t>(keys[entry]) * width;
  const double norm = norm_of(row, width, type);
  if (!(norm > max_norm)) return;
  const auto factor = static_cast<compute_t<T>>(max_norm / (norm + 1e-7));
  for (index_t i = lane_index(); i < width; i += warp_size)
    row[i] = percale::convert_to<T>(static_cast<compute_t<T>>(row[i]) * factor);
}

}  // namespace

void gather_rows(const Tensor& table, const Tensor& index, const Tensor& rows) {
  const auto row_bytes = table.size(1) * static_cast<int64_t>(size_of(table.dtype()));
  const auto* from = static_cast<const uint8_t*>(table.data());
  const auto* to = static_cast<const uint8_t*>(rows.data());
  auto fits = [&]<int bytes>() { return row_bytes % bytes == 0 && is_aligned<bytes>(from) && is_aligned<bytes>(to); };
  visit_index("embedding", index.dtype(), [&]<class Index>() {
    if (fits.template operator()<16>())
      gather<16, Index>(table, index, rows, row_bytes);
    else if (fits.template operator()<4>())
      gather<4, Index>(table, index, rows, row_bytes);
    else
      gather<1, Index>(table, index, rows, row_bytes);
  });
}

void sum_rows(const Tensor& upstream, const Tensor& index, const Tensor& gradient) {
  fill_async(gradient.data(), 0, static_cast<size_t>(gradient.numel()) * size_of(gradient.dtype()), current_stream());
  const SortedEntries entries(index, gradient.size(0));
  visit_floating("embedding", gradient.dtype(), [&]<class T>() {
    sum_segments<T>(entries, upstream, StoreRow<T>{gradient.data<T>(), gradient.size(1)});
  });
}

void renormalise_rows(const Tensor& table, const Tensor& index, double max_norm, double norm_type) {
  const int64_t count = index.numel(), rows = table.size(0);
  visit_index("embedding", index.dtype(), [&]<class Index>() {
    launch(check_kernel<Index>, blocks_for(count, threads), threads, 0, current_stream(), index.data<Index>(), count,
           rows, error_reporter("embedding", index.shape()));
  });
  const SortedEntries entries(index, rows);
  visit_floating("embedding", table.dtype(), [&]<class T>() {
    constexpr int warps = threads / warp_size;
    launch(renormalise_kernel<T>, (count + warps - 1) / warps, threads, 0, current_stream(), table.data<T>(),
           entries.keys(), count, static_cast<uint32_t>(rows), table.size(1), max_norm, norm_type, error_record());
  });
}

}  // namespace percale::cuda
