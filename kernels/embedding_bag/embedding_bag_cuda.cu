// Bags on CUDA: a thread for each column of each bag adds its entries in order.
#include "../common/data_or_null.h"
#include "../common/device.h"
#include "embedding_bag_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// Offsets that are out of place are reported, and bounded so that nothing outside of the index is read.
template <class Index>
__global__ void starts_kernel(const Index* offsets, index_t* starts, index_t given, index_t count, bool ended,
                              ErrorReporter reporter) {
  for (index_t i : grid_stride(given)) {
    const auto offset = static_cast<index_t>(offsets[i]);
    const index_t least = ended && i == given - 1 ? count : i ? static_cast<index_t>(offsets[i - 1]) : 0;
    if (offset < least || offset > (i ? count : 0)) report_bad_index(reporter, i, offset, count);
    starts[i] = offset < 0 ? 0 : offset > count ? count : offset;
    if (i == given - 1 && !ended) starts[given] = count;
  }
}

__global__ void even_starts_kernel(index_t* starts, index_t count, index_t length) {
  for (index_t i : grid_stride(count)) starts[i] = i * length;
}

/// By bisection: the last bag that begins at or before the entry.
__global__ void number_entries_kernel(const index_t* starts, index_t bags, index_t* bag, index_t* numbers,
                                      index_t count) {
  for (index_t entry : grid_stride(count)) {
    numbers[entry] = entry;
    index_t low = 0, high = bags;
    while (high - low > 1) {
      const index_t middle = (low + high) / 2;
      if (starts[middle] <= entry)
        low = middle;
      else
        high = middle;
    }
    bag[entry] = low;
  }
}

template <class T>
struct Addresses {
  const T* table;
  const T* weights;
  const index_t* starts;
  T* rows;
  T* sizes;
  index_t* chosen;
};

template <BagMode mode, class T, class Index>
__global__ void reduce_kernel(Addresses<T> at, const Index* index, index_t bags, index_t width, index_t bound,
                              index_t padding, ErrorReporter reporter) {
  for (index_t i : grid_stride(bags * width)) {
    const index_t bag = i / width, column = i % width;
    T sum = 0;
    index_t size = 0, chosen = -1;
    for (index_t entry = at.starts[bag]; entry < at.starts[bag + 1]; ++entry) {
      auto row = static_cast<index_t>(index[entry]);
      if (row < 0 || row >= bound) {
        if (column == 0) report_bad_index(reporter, entry, row, bound);
        row = 0;
      }
      if (row == padding) continue;
      ++size;
      const T value = at.table[row * width + column];
      if constexpr (mode == BagMode::max) {
        if (chosen < 0 || value > sum || (value != value && sum == sum)) {
          sum = value;
          chosen = entry;
        }
      } else {
        sum = sum + value * (at.weights ? at.weights[entry] : T(1));
      }
    }
    if (mode == BagMode::mean && size > 0) sum = sum / static_cast<T>(size);
    at.rows[i] = sum;
    if (mode == BagMode::max) at.chosen[i] = chosen;
    if (column == 0) at.sizes[bag] = static_cast<T>(size);
  }
}

template <class T, class Index>
void reduce(const Bags& bags, const Bagged& result) {
  const Addresses<T> at{bags.table.data<T>(),  data_or_null<T>(bags.weights), bags.starts.data<int64_t>(),
                        result.rows.data<T>(), result.sizes.data<T>(),        data_or_null<int64_t>(result.chosen)};
  const int64_t count = result.rows.size(0), width = result.rows.size(1);
  auto start = [&](auto* kernel) {
    launch(kernel, blocks_for(count * width, threads), threads, 0, current_stream(), at, bags.index.data<Index>(),
           count, width, bags.table.size(0), bags.padding, error_reporter("embedding_bag", bags.index_shape));
  };
  switch (bags.mode) {
    case BagMode::sum:
      return start(reduce_kernel<BagMode::sum, T, Index>);
    case BagMode::mean:
      return start(reduce_kernel<BagMode::mean, T, Index>);
    case BagMode::max:
      return start(reduce_kernel<BagMode::max, T, Index>);
  }
}

}  // namespace

void bag_starts(const Tensor& offsets, int64_t count, bool ended, const Tensor& starts) {
  const int64_t given = offsets.numel();
  visit_index("embedding_bag", offsets.dtype(), [&]<class Index>() {
    launch(starts_kernel<Index>, blocks_for(given, threads), threads, 0, current_stream(), offsets.data<Index>(),
           starts.data<int64_t>(), given, count, ended,
           error_reporter("embedding_bag", offsets.shape(), current_stream(), offset_message));
  });
}

void even_starts(int64_t length, const Tensor& starts) {
  launch(even_starts_kernel, blocks_for(starts.numel(), threads), threads, 0, current_stream(), starts.data<int64_t>(),
         starts.numel(), length);
}

void number_entries(const Tensor& starts, const Tensor& bag, const Tensor& entry) {
  launch(number_entries_kernel, blocks_for(bag.numel(), threads), threads, 0, current_stream(), starts.data<int64_t>(),
         starts.numel() - 1, bag.data<int64_t>(), entry.data<int64_t>(), bag.numel());
}

void reduce_bags(const Bags& bags, const Bagged& result) {
  visit_index("embedding_bag", bags.index.dtype(), [&]<class Index>() {
    if (bags.table.dtype() == f32)
      reduce<float, Index>(bags, result);
    else
      reduce<double, Index>(bags, result);
  });
}

}  // namespace percale::cuda
