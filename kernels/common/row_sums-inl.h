// The sum of some rows of a matrix, with SIMD: what a table's row gains from the entries that named it.
// For a `_cpu.cpp` file, as vector_math-inl.h.
#if defined(PERCALE_ROW_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_ROW_SUMS_INL_H
#undef PERCALE_ROW_SUMS_INL_H
#else
#define PERCALE_ROW_SUMS_INL_H
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>

#include "row_entries.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace simd {

/// Sums of long runs are summed in parts of this many, which keeps their rounding small.
inline constexpr int64_t entries_a_part = 256;

/// Asks for the row of an entry some way ahead. `entries` goes on behind what is summed now, up to `end`.
template <class T>
HWY_INLINE void prefetch_row(const T* rows, int64_t width, const RowEntry* entry, const RowEntry* end) {
  constexpr int64_t line = 64 / sizeof(T);
  if (entry >= end) return;
  const T* row = rows + entry->position() * width;
  for (int64_t column = 0; column < std::min<int64_t>(width, 16 * line); column += line) hwy::Prefetch(row + column);
}

/// Calls `store(d, column, sum)` for `vectors` vectors of columns from `column` on: sums over the entries, in order.
template <int vectors, class D, class T, class Store>
HWY_INLINE void sum_columns(D d, const T* rows, int64_t width, int64_t column, const RowEntry* entries, int64_t count,
                            Store&& store) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto at = [&](int64_t entry) HWY_ATTR { return rows + entries[entry].position() * width + column; };
  hn::Vec<D> total[vectors];
  for (int v = 0; v < vectors; ++v) total[v] = hn::Zero(d);
  for (int64_t begin = 0; begin < count; begin += entries_a_part) {
    hn::Vec<D> part[vectors];
    for (int v = 0; v < vectors; ++v) part[v] = hn::LoadU(d, at(begin) + v * lanes);
    const int64_t end = std::min(count, begin + entries_a_part);
    for (int64_t entry = begin + 1; entry < end; ++entry)
      for (int v = 0; v < vectors; ++v) part[v] = hn::Add(part[v], hn::LoadU(d, at(entry) + v * lanes));
    for (int v = 0; v < vectors; ++v) total[v] = hn::Add(total[v], part[v]);
  }
  for (int v = 0; v < vectors; ++v) store(d, column + v * lanes, total[v]);
}

/// The sum of the rows that `entries` (one at least) stand for: `store(d, column, vector)` gets it piece by piece.
template <class T, class Store>
HWY_INLINE void sum_row(const T* rows, int64_t width, const RowEntry* entries, int64_t count, Store&& store) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t column = 0;
  for (; column + 4 * lanes <= width; column += 4 * lanes)
    sum_columns<4>(d, rows, width, column, entries, count, store);
  for (; column + lanes <= width; column += lanes) sum_columns<1>(d, rows, width, column, entries, count, store);
  for (; column < width; ++column) sum_columns<1>(single, rows, width, column, entries, count, store);
}

}  // namespace simd
}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
