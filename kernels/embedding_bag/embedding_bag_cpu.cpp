#include <algorithm>
#include <numeric>

#include "../../core/cpu/threads.h"
#include "../common/data_or_null.h"
#include "../common/index_range.h"
#include "embedding_bag_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/embedding_bag/embedding_bag_cpu.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// sum += row * factor
template <class T>
void add_row(const T* row, T factor, T* sum, int64_t width) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes)
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), hn::Mul(hn::LoadU(d, row + i), hn::Set(d, factor))), d, sum + i);
  for (; i < width; ++i) sum[i] = sum[i] + row[i] * factor;
}
void add_row_f32(const float* row, float factor, float* sum, int64_t width) { add_row(row, factor, sum, width); }
void add_row_f64(const double* row, double factor, double* sum, int64_t width) { add_row(row, factor, sum, width); }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(add_row_f32);
HWY_EXPORT(add_row_f64);

namespace {

/// Bags a piece of work: some 16,000 numbers to be added.
int64_t grain_of(const Bags& bags, int64_t count) {
  const int64_t numbers = std::max<int64_t>(bags.index.numel() * bags.table.size(1) / std::max<int64_t>(count, 1), 1);
  return std::max<int64_t>(16384 / numbers, 1);
}

/// The larger of each column, and which entry it is from.
template <class T>
void keep_larger(const T* row, int64_t entry, T* largest, int64_t* chosen, int64_t width) {
  for (int64_t i = 0; i < width; ++i)
    if (chosen[i] < 0 || row[i] > largest[i] || (row[i] != row[i] && largest[i] == largest[i])) {
      largest[i] = row[i];
      chosen[i] = entry;
    }
}

template <class T, class Index, class AddRow>
void reduce(const Bags& bags, const Bagged& result, AddRow add_row) {
  const Index* index = bags.index.data<Index>();
  check_range("embedding_bag", index_message, index, bags.index_shape, bags.table.size(0));
  const T* table = bags.table.data<T>();
  const T* weights = data_or_null<T>(bags.weights);
  const int64_t* starts = bags.starts.data<int64_t>();
  const int64_t count = result.rows.size(0), width = result.rows.size(1);
  parallel_for(count, grain_of(bags, count), [&](int64_t first, int64_t last) {
    for (int64_t bag = first; bag < last; ++bag) {
      T* to = result.rows.data<T>() + bag * width;
      int64_t* chosen = result.chosen.defined() ? result.chosen.data<int64_t>() + bag * width : nullptr;
      std::fill_n(to, width, T(0));
      if (chosen) std::fill_n(chosen, width, int64_t{-1});
      int64_t size = 0;
      for (int64_t entry = starts[bag]; entry < starts[bag + 1]; ++entry) {
        const auto row = static_cast<int64_t>(index[entry]);
        if (entry + 4 < bags.index.numel()) hwy::Prefetch(table + static_cast<int64_t>(index[entry + 4]) * width);
        if (row == bags.padding) continue;
        ++size;
        if (chosen)
          keep_larger(table + row * width, entry, to, chosen, width);
        else
          add_row(table + row * width, weights ? weights[entry] : T(1), to, width);
      }
      if (bags.mode == BagMode::mean && size > 1)
        for (int64_t i = 0; i < width; ++i) to[i] /= static_cast<T>(size);
      result.sizes.data<T>()[bag] = static_cast<T>(size);
    }
  });
}

}  // namespace

void bag_starts(const Tensor& offsets, int64_t count, bool ended, const Tensor& starts) {
  int64_t* to = starts.data<int64_t>();
  const int64_t given = offsets.numel();
  visit_index("embedding_bag", offsets.dtype(), [&]<class Index>() {
    const Index* from = offsets.data<Index>();
    for (int64_t i = 0; i < given; ++i) {
      const int64_t least = ended && i == given - 1 ? count : i ? to[i - 1] : 0, most = i ? count : 0;
      require(from[i] >= least && from[i] <= most, "embedding_bag",
              "offset {} at position {} is out of place: offsets begin at 0, ascend, and end within {} entries",
              from[i], i, count);
      to[i] = from[i];
    }
  });
  if (!ended) to[given] = count;
}

void even_starts(int64_t length, const Tensor& starts) {
  for (int64_t i = 0; i < starts.numel(); ++i) starts.data<int64_t>()[i] = i * length;
}

void number_entries(const Tensor& starts, const Tensor& bag, const Tensor& entry) {
  const int64_t* from = starts.data<int64_t>();
  for (int64_t b = 0; b + 1 < starts.numel(); ++b)
    std::fill(bag.data<int64_t>() + from[b], bag.data<int64_t>() + from[b + 1], b);
  std::iota(entry.data<int64_t>(), entry.data<int64_t>() + entry.numel(), int64_t{0});
}

void reduce_bags(const Bags& bags, const Bagged& result) {
  visit_index("embedding_bag", bags.index.dtype(), [&]<class Index>() {
    if (bags.table.dtype() == f32)
      reduce<float, Index>(bags, result, HWY_DYNAMIC_DISPATCH(add_row_f32));
    else
      reduce<double, Index>(bags, result, HWY_DYNAMIC_DISPATCH(add_row_f64));
  });
}

}  // namespace percale::cpu
#endif
