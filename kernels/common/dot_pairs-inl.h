// Dot products of bfloat16's pairs (AVX512-BF16): rows of pairs times packed panels of 32 columns, each element one
// chain of dot products along the depth, in order, from zero. For a `_cpu.cpp` file, after <hwy/highway.h>.
#if defined(PERCALE_DOT_PAIRS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_DOT_PAIRS_INL_H
#undef PERCALE_DOT_PAIRS_INL_H
#else
#define PERCALE_DOT_PAIRS_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "../../core/half.h"
#include "product_block-inl.h"

#ifndef PERCALE_PAIR_ROWS
#define PERCALE_PAIR_ROWS
namespace percale::cpu {
/// Rows of a left operand, in pairs of neighbours of the depth. Steps in bytes.
struct PairRows {
  const char* first;
  size_t row_step, pair_step, count, pairs;
};
}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Whether what is compiled for this instruction set has them; the processor must be asked too.
constexpr bool dots_pairs = HWY_TARGET == HWY_AVX3;

constexpr size_t pair_panel = 32;  ///< columns of a packed panel

/// Two neighbours of the depth as one number of 32 bits, zero behind the last.
inline uint32_t pair_at(const bfloat16* from, size_t step, size_t left) {
  return from[0].bits | (left > 1 ? static_cast<uint32_t>(from[step].bits) << 16 : 0);
}

/// `width` columns (32 at most) of the whole depth into a panel, zeros behind them.
inline void pack_panel(const bfloat16* from, size_t depth_step, size_t column_step, size_t depth, size_t width,
                       uint32_t* HWY_RESTRICT to) {
#if HWY_TARGET == HWY_AVX3
  if (depth_step == 1 && column_step % 2 == 0 && depth % 2 == 0) {  // pairs are moved as floats are
    static_assert(panel<float> == pair_panel);
    pack_block(reinterpret_cast<const float*>(from), 1, column_step / 2, depth / 2, width,
               reinterpret_cast<float*>(to));
    return;
  }
#endif
  for (size_t k = 0; k < depth; k += 2, to += pair_panel) {
    const bfloat16* low = from + k * depth_step;
    const size_t left = depth - k;
    if (column_step == 1 && width == pair_panel && left > 1) {
      const bfloat16* high = low + depth_step;
      for (size_t c = 0; c < pair_panel; ++c) to[c] = low[c].bits | static_cast<uint32_t>(high[c].bits) << 16;
      continue;
    }
    for (size_t c = 0; c < width; ++c) to[c] = pair_at(low + c * column_step, depth_step, left);
    for (size_t c = width; c < pair_panel; ++c) to[c] = 0;
  }
}

#if HWY_TARGET == HWY_AVX3

/// Shared evenly: a dot product takes six cycles and two begin in each, so that a few rows left over would wait for
/// their own sums.
constexpr int most_rows_together = 8;

/// What memory may bring meanwhile, `step` bytes a step of the depth.
struct Ahead {
  const char* from;
  size_t step;
};

using PairSums = hn::Vec<hn::ScalableTag<float>>;

/// Rounded to nearest even.
HWY_INLINE void store_bf16(PairSums value, bfloat16* to) {
  const hn::Rebind<uint16_t, hn::ScalableTag<float>> halves;
  hn::Vec<decltype(halves)> rounded;
  asm("vcvtneps2bf16 %1, %0" : "=v"(rounded.raw) : "v"(value.raw));
  hn::StoreU(rounded, halves, reinterpret_cast<uint16_t*>(to));
}

/// The first `count` of them, if there are not 16.
HWY_INLINE void store_bf16_columns(PairSums value, bfloat16* to, size_t count) {
  if (count >= 16) return store_bf16(value, to);
  bfloat16 beside[16];
  store_bf16(value, beside);
  __builtin_memcpy(to, beside, count * sizeof(bfloat16));
}

/// Calls `body` with each number as a constant: as a loop, gcc 12 may keep the sums in memory.
template <int... number, class Body>
HWY_INLINE void for_each(std::integer_sequence<int, number...>, Body body) {
  (body(std::integral_constant<int, number>()), ...);
}

/// `rows` rows by a panel; `finish(r, v, sums)` gets the 16 sums of row r that stand at vector v of the panel. The
/// instruction stands as assembly: Highway 1.0.3 has none of them.
template <int rows, class Finish>
HWY_INLINE void dot_rows(const char* const* left, size_t left_step, const uint32_t* HWY_RESTRICT panel, size_t pairs,
                         Ahead ahead, Finish finish) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> words;
  constexpr std::make_integer_sequence<int, rows> each;
  PairSums low_sums[rows], high_sums[rows];
  for_each(each, [&](auto r) HWY_ATTR { low_sums[r] = high_sums[r] = hn::Zero(d); });
  const uint32_t* end = panel + pairs * pair_panel;
  for (size_t at = 0; panel < end; at += left_step, panel += pair_panel, ahead.from += ahead.step) {
    __builtin_prefetch(ahead.from, 0, 2);  // into the second-level cache
    __builtin_prefetch(ahead.from + 64, 0, 2);
    const auto low = hn::LoadU(words, panel), high = hn::LoadU(words, panel + 16);
    for_each(each, [&](auto r) HWY_ATTR {
      uint32_t pair;
      __builtin_memcpy(&pair, left[r] + at, sizeof pair);
      const auto both = hn::Set(words, pair);
      asm("vdpbf16ps %2, %1, %0" : "+v"(low_sums[r].raw) : "v"(both.raw), "v"(low.raw));
      asm("vdpbf16ps %2, %1, %0" : "+v"(high_sums[r].raw) : "v"(both.raw), "v"(high.raw));
    });
  }
  for_each(each, [&](auto r) HWY_ATTR {
    finish(r, 0, low_sums[r]);
    finish(r, 1, high_sums[r]);
  });
}

/// All rows by a panel: `finish(row, v, sums)` as above.
template <class Finish>
HWY_INLINE void dot_all_rows(const PairRows& left, const uint32_t* panel, Finish finish) {
  // Memory brings the panel behind this one meanwhile, each group of rows asking for its share; or what comes soon,
  // where there is but one group, which waits for memory all the time.
  const size_t bytes = left.pairs * pair_panel * sizeof(uint32_t), soon = 8192;
  const size_t groups = (left.count + most_rows_together - 1) / most_rows_together;
  Ahead ahead{reinterpret_cast<const char*>(panel) + (groups > 1 ? bytes : soon),
              pair_panel * sizeof(uint32_t) / (groups ? groups : 1)};
  size_t row = 0;
  for (size_t group = groups; group > 0; --group) {
    const size_t count = (left.count - row + group - 1) / group;
    for_each(std::make_integer_sequence<int, most_rows_together>(), [&](auto fewer) HWY_ATTR {
      constexpr int together = fewer + 1;
      if (count != together) return;
      const char* from[together];
      for (int r = 0; r < together; ++r) from[r] = left.first + (row + static_cast<size_t>(r)) * left.row_step;
      dot_rows<together>(from, left.pair_step, panel, left.pairs, ahead, [&](int r, size_t v, PairSums sums) HWY_ATTR {
        finish(row + static_cast<size_t>(r), v, sums);
      });
    });
    ahead.from += left.pairs * ahead.step;
    row += count;
  }
}

#endif

}  // namespace
}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
