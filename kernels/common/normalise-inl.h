// Rows brought to mean 0 and variance 1, and the gradient of that, with SIMD: what layer norms are made of on the CPU.
// For a `_cpu.cpp` file, as vector_math-inl.h. T is float or double.
#if defined(PERCALE_NORMALISE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_NORMALISE_INL_H
#undef PERCALE_NORMALISE_INL_H
#else
#define PERCALE_NORMALISE_INL_H
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "bfloat16_vectors-inl.h"
#include "row_statistics.h"
#include "vector_reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace simd {

/// `count` sums over a row at once: `add(t, i, totals)` adds to each total what the vector of elements from i on gives
/// it. Elements go to lanes by their position, as in map_reduce, and no more than 64 to one before sums go on in f64.
template <int count, class T, class Add>
HWY_INLINE void sum_lanes(int64_t width, double* results, Add add) {
  constexpr int64_t own = row_lanes<T>, block = 64 * own;
  const hn::CappedTag<T, 64 / sizeof(T)> t;
  const hn::CappedTag<T, 1> one;
  constexpr int64_t lanes = hn::MaxLanes(t), vectors = own / lanes;
  std::fill_n(results, count, 0.0);
  for (int64_t begin = 0; begin < width; begin += block) {
    const int64_t end = std::min(width, begin + block);
    hn::Vec<decltype(t)> totals[vectors][count];
    for (auto& of_vector : totals)
      for (auto& total : of_vector) total = hn::Zero(t);
    int64_t i = begin;
    for (; i + own <= end; i += own)
      for (int64_t v = 0; v < vectors; ++v) add(t, i + v * lanes, totals[v]);
    if (i == end) {  // the same sums as below, in registers
      for (int k = 0; k < count; ++k) {
        for (int64_t half = vectors / 2; half > 0; half /= 2)
          for (int64_t v = 0; v < half; ++v) totals[v][k] = hn::Add(totals[v][k], totals[v + half][k]);
        results[k] += static_cast<double>(hn::GetLane(hn::SumOfLanes(t, totals[0][k])));
      }
      continue;
    }
    HWY_ALIGN T each[count][own];
    for (int64_t v = 0; v < vectors; ++v)
      for (int k = 0; k < count; ++k) hn::Store(totals[v][k], t, each[k] + v * lanes);
    int64_t lane = 0;
    auto add_rest = [&](auto d) HWY_ATTR {
      hn::Vec<decltype(d)> rest[count];
      for (int k = 0; k < count; ++k) rest[k] = hn::LoadU(d, each[k] + lane);
      add(d, i, rest);
      for (int k = 0; k < count; ++k) hn::StoreU(rest[k], d, each[k] + lane);
      lane += hn::MaxLanes(d), i += hn::MaxLanes(d);
    };
    while (i + lanes <= end) add_rest(t);
    while (i < end) add_rest(one);
    for (int k = 0; k < count; ++k) results[k] += static_cast<double>(fold_lanes<Sum>(each[k], end - begin));
  }
}

/// Calls `body(t, i)` for the vectors of a row, and for each of the last elements.
template <class T, class Body>
HWY_INLINE void for_each_column(int64_t width, Body body) {
  const hn::CappedTag<T, 64 / sizeof(T)> t;
  const hn::CappedTag<T, 1> one;
  constexpr int64_t lanes = hn::MaxLanes(t);
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) body(t, i);
  for (; i < width; ++i) body(one, i);
}

/// Of a row that `load(t, i)` gives and leaves in x. `ahead`: what memory may bring meanwhile, a row's worth.
template <class T, class Load, class Ahead>
HWY_INLINE RowStatistics<T> statistics_of(Load load, const T* x, int64_t width, double eps, const Ahead* ahead) {
  double sums[2];
  sum_lanes<1, T>(width, sums,
                  [=](auto t, int64_t i, auto& totals) HWY_ATTR { totals[0] = hn::Add(totals[0], load(t, i)); });
  const auto shift = static_cast<T>(sums[0] / static_cast<double>(width));
  sum_lanes<2, T>(width, sums, [=](auto t, int64_t i, auto& totals) HWY_ATTR {
    if constexpr (hn::MaxLanes(t) > 1) hwy::Prefetch(ahead + i);
    const auto apart = hn::Sub(hn::LoadU(t, x + i), hn::Set(t, shift));
    totals[0] = hn::Add(totals[0], apart);
    totals[1] = hn::MulAdd(apart, apart, totals[1]);
  });
  return row_statistics(shift, sums[0], sums[1], width, eps);
}

template <class D, class T>
HWY_INLINE hn::Vec<D> normalised(D t, const T* x, const RowStatistics<T>& by) {
  return hn::MulAdd(hn::Sub(hn::LoadU(t, x), hn::Set(t, by.shift)), hn::Set(t, by.scale), hn::Set(t, by.offset));
}

/// y = normalised x * weight + bias. `y` may be `x`; `ahead` as above.
template <class T, class Result, class Ahead>
HWY_INLINE void normalise_row(const T* x, const RowStatistics<T>& by, const T* weight, const T* bias, int64_t width,
                              Result* y, const Ahead* ahead) {
  for_each_column<T>(width, [=](auto t, int64_t i) HWY_ATTR {
    if constexpr (hn::MaxLanes(t) > 1) hwy::Prefetch(ahead + i);
    const auto value = hn::MulAdd(normalised(t, x + i, by), hn::LoadU(t, weight + i), hn::LoadU(t, bias + i));
    store_narrow(value, t, y + i);
  });
}

/// The gradient of `rows` neighbouring rows x from that of their results, `upstream`; what weight and bias gain is
/// added to `of_weight` and `of_bias`, row after row. With h = upstream * weight: scale * (h - mean(h) - normalised x *
/// mean(h * normalised x)).
template <int rows, class T>
HWY_INLINE void gradient_of_rows(const T* upstream, const T* x, const RowStatistics<T>* by, const T* weight,
                                 int64_t width, T* gradient, T* of_weight, T* of_bias) {
  T mean[rows], slope[rows];
  for (int r = 0; r < rows; ++r) {
    double sums[2];
    const T *from = upstream + r * width, *own = x + r * width;
    const RowStatistics<T> statistics = by[r];
    sum_lanes<2, T>(width, sums, [=](auto t, int64_t i, auto& totals) HWY_ATTR {
      const auto h = hn::Mul(hn::LoadU(t, from + i), hn::LoadU(t, weight + i));
      totals[0] = hn::Add(totals[0], h);
      totals[1] = hn::MulAdd(h, normalised(t, own + i, statistics), totals[1]);
    });
    mean[r] = static_cast<T>(sums[0] / static_cast<double>(width));
    slope[r] = static_cast<T>(sums[1] / static_cast<double>(width));
  }
  for_each_column<T>(width, [&](auto t, int64_t i) HWY_ATTR {
    const auto factor = hn::LoadU(t, weight + i);
    auto weight_sum = hn::LoadU(t, of_weight + i), bias_sum = hn::LoadU(t, of_bias + i);
    for (int r = 0; r < rows; ++r) {
      const auto from = hn::LoadU(t, upstream + r * width + i), own = normalised(t, x + r * width + i, by[r]);
      const auto centred = hn::MulSub(from, factor, hn::Set(t, mean[r]));
      const auto value = hn::Mul(hn::NegMulAdd(own, hn::Set(t, slope[r]), centred), hn::Set(t, by[r].scale));
      hn::StoreU(value, t, gradient + r * width + i);
      weight_sum = hn::MulAdd(from, own, weight_sum);
      bias_sum = hn::Add(bias_sum, from);
    }
    hn::StoreU(weight_sum, t, of_weight + i);
    hn::StoreU(bias_sum, t, of_bias + i);
  });
}

}  // namespace simd
}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
