#include "product_bf16_pairs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/common/product_bf16_pairs.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "product_block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t pair_panel = 32;  ///< columns of a packed panel

/// Two neighbours of the depth as one number of 32 bits, zero behind the last.
inline uint32_t pair_at(const bfloat16* from, size_t step, size_t left) {
  return from[0].bits | (left > 1 ? static_cast<uint32_t>(from[step].bits) << 16 : 0);
}

/// `width` columns (32 at most) of the whole depth into a panel, zeros behind them.
void pack_panel(const bfloat16* from, size_t depth_step, size_t column_step, size_t depth, size_t width,
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

constexpr size_t rows_together = 8;

/// What is done to finished sums.
struct Finish {
  const bfloat16* bias;  ///< of the panel's columns, 32 of them, or null
  bool relu;
};

/// What memory may bring meanwhile, `step` bytes a step of the depth.
struct Ahead {
  const char* from;
  size_t step;
};

/// `rows` rows by a panel. The instructions stand as assembly: Highway 1.0.3 has none of them.
template <int rows>
HWY_INLINE void dot_rows(const char* const* left, size_t left_step, const uint32_t* HWY_RESTRICT panel, size_t pairs,
                         Finish finish, Ahead ahead, bfloat16* const* out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> words;
  hn::Vec<decltype(d)> sums[rows][2];
  HWY_UNROLL(8)
  for (int r = 0; r < rows; ++r) sums[r][0] = sums[r][1] = hn::Zero(d);
  const uint32_t* end = panel + pairs * pair_panel;
  for (size_t at = 0; panel < end; at += left_step, panel += pair_panel, ahead.from += ahead.step) {
    __builtin_prefetch(ahead.from, 0, 2);  // into the second-level cache
    __builtin_prefetch(ahead.from + 64, 0, 2);
    const auto low = hn::LoadU(words, panel), high = hn::LoadU(words, panel + 16);
    HWY_UNROLL(8)
    for (int r = 0; r < rows; ++r) {
      uint32_t pair;
      __builtin_memcpy(&pair, left[r] + at, sizeof pair);
      const auto both = hn::Set(words, pair);
      asm("vdpbf16ps %2, %1, %0" : "+v"(sums[r][0].raw) : "v"(both.raw), "v"(low.raw));
      asm("vdpbf16ps %2, %1, %0" : "+v"(sums[r][1].raw) : "v"(both.raw), "v"(high.raw));
    }
  }
  const hn::Rebind<uint16_t, decltype(d)> halves;
  hn::Vec<decltype(d)> bias[2] = {hn::Zero(d), hn::Zero(d)};
  for (size_t v = 0; finish.bias && v < 2; ++v) {
    const auto bits = hn::LoadU(halves, reinterpret_cast<const uint16_t*>(finish.bias) + 16 * v);
    bias[v] = hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(words, bits)));
  }
  HWY_UNROLL(8)
  for (int r = 0; r < rows; ++r) {
    HWY_UNROLL(2)
    for (size_t v = 0; v < 2; ++v) {
      auto value = sums[r][v];
      if (finish.bias) value = hn::Add(value, bias[v]);
      if (finish.relu) value = hn::IfThenZeroElse(hn::Lt(value, hn::Zero(d)), value);
      hn::Vec<decltype(halves)> rounded;
      asm("vcvtneps2bf16 %1, %0" : "=v"(rounded.raw) : "v"(value.raw));
      hn::StoreU(rounded, halves, reinterpret_cast<uint16_t*>(out[r]) + 16 * v);
    }
  }
}

void dot_some_rows(size_t rows, const char* const* left, size_t left_step, const uint32_t* panel, size_t pairs,
                   Finish finish, Ahead ahead, bfloat16* const* out) {
  auto step = [&](auto count) {
    dot_rows<decltype(count)::value>(left, left_step, panel, pairs, finish, ahead, out);
    left += decltype(count)::value;
    out += decltype(count)::value;
    rows -= decltype(count)::value;
  };
  while (rows >= 8) step(std::integral_constant<int, 8>{});
  if (rows >= 4) step(std::integral_constant<int, 4>{});
  if (rows >= 2) step(std::integral_constant<int, 2>{});
  if (rows >= 1) step(std::integral_constant<int, 1>{});
}

#endif

}  // namespace

void pack_pairs(const bfloat16* from, size_t depth_step, size_t column_step, size_t depth, size_t width, uint32_t* to) {
  pack_panel(from, depth_step, column_step, depth, width, to);
}

/// Rows of pairs, `left_step` bytes apart, by a panel; the columns that are wanted are `width`.
void dot_panel([[maybe_unused]] const char* const* left, [[maybe_unused]] size_t left_step,
               [[maybe_unused]] size_t rows, [[maybe_unused]] const uint32_t* panel, [[maybe_unused]] size_t pairs,
               [[maybe_unused]] const bfloat16* bias, [[maybe_unused]] bool relu, [[maybe_unused]] size_t width,
               [[maybe_unused]] bfloat16* out, [[maybe_unused]] size_t out_step) {
#if HWY_TARGET == HWY_AVX3
  HWY_ALIGN bfloat16 own_bias[pair_panel] = {}, beside[rows_together * pair_panel];
  if (bias) __builtin_memcpy(own_bias, bias, width * sizeof(bfloat16));
  const Finish finish{bias ? own_bias : nullptr, relu};
  // The panel behind this one comes while this one is multiplied, each group of rows asking for its share.
  const size_t bytes = pairs * pair_panel * sizeof(uint32_t), groups = (rows + rows_together - 1) / rows_together;
  Ahead ahead{reinterpret_cast<const char*>(panel) + bytes, (pair_panel * sizeof(uint32_t) + groups - 1) / groups};
  for (size_t row = 0; row < rows; row += rows_together) {
    const size_t count = rows - row < rows_together ? rows - row : rows_together;
    bfloat16* to[rows_together];
    for (size_t r = 0; r < count; ++r)
      to[r] = width == pair_panel ? out + (row + r) * out_step : beside + r * pair_panel;
    dot_some_rows(count, left + row, left_step, panel, pairs, finish, ahead, to);
    ahead.from += pairs * ahead.step;
    for (size_t r = 0; width < pair_panel && r < count; ++r)
      __builtin_memcpy(out + (row + r) * out_step, beside + r * pair_panel, width * sizeof(bfloat16));
  }
#endif
}

bool has_dots() { return HWY_TARGET == HWY_AVX3; }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <vector>

#include "../../core/cpu/onednn.h"

namespace percale::cpu {

HWY_EXPORT(pack_pairs);
HWY_EXPORT(dot_panel);
HWY_EXPORT(has_dots);

namespace {

constexpr int64_t columns_of_panel = 32;

int64_t pairs_of(int64_t depth) { return (depth + 1) / 2; }

}  // namespace

bool dots_bf16_pairs() {
  static const bool answer =
      multiplies_bf16() && HWY_DYNAMIC_DISPATCH(has_dots)() &&
      static_cast<int>(dnnl::get_effective_cpu_isa()) < static_cast<int>(dnnl::cpu_isa::avx512_core_amx);
  return answer;
}

size_t bf16_pairs_bytes(int64_t depth, int64_t columns) {
  const int64_t panels = (columns + columns_of_panel - 1) / columns_of_panel;
  return static_cast<size_t>(panels * columns_of_panel * pairs_of(depth)) * sizeof(uint32_t);
}

void pack_bf16_pairs(const Product& product, void* packed) {
  const int64_t panels = (product.columns + columns_of_panel - 1) / columns_of_panel;
  const auto pack = HWY_DYNAMIC_DISPATCH(pack_pairs);
  parallel_for(panels, std::max<int64_t>(4096 / std::max<int64_t>(product.depth, 1), 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i)
                   pack(static_cast<const bfloat16*>(product.right) + i * columns_of_panel * product.right_column_step,
                        static_cast<size_t>(product.right_depth_step), static_cast<size_t>(product.right_column_step),
                        static_cast<size_t>(product.depth),
                        static_cast<size_t>(std::min(columns_of_panel, product.columns - i * columns_of_panel)),
                        static_cast<uint32_t*>(packed) + i * columns_of_panel * pairs_of(product.depth));
               });
}

namespace {

/// The left operand's rows as products read them: as they lie, or packed.
struct LeftRows {
  Tensor packed;
  std::vector<const char*> rows;
  size_t step = sizeof(uint32_t);  ///< bytes from a pair of the depth to the next

  LeftRows(const Product& product, int64_t row, int64_t count) {
    const auto* from = static_cast<const bfloat16*>(product.left) + row * product.left_row_step;
    const int64_t depth = product.depth, row_step = product.left_row_step, depth_step = product.left_depth_step;
    const bool as_is = depth_step == 1 && depth % 2 == 0;
    if (!as_is) packed = Tensor::empty({pairs_of(depth) * count}, {i32, cpu_device});
    const char* first =
        as_is ? reinterpret_cast<const char*>(from) : reinterpret_cast<const char*>(packed.data<int32_t>());
    const int64_t apart = as_is ? row_step * 2 : 4;
    for (int64_t r = 0; r < count; ++r) rows.push_back(first + r * apart);
    if (as_is) return;
    step *= static_cast<size_t>(count);
    auto* to = reinterpret_cast<uint32_t*>(packed.data<int32_t>());
    for (int64_t k = 0; k < depth; k += 2, to += count) {
      const bfloat16 *low = from + k * depth_step, *high = k + 1 < depth ? low + depth_step : nullptr;
      for (int64_t r = 0; r < count; ++r)
        to[r] = low[r * row_step].bits | (high ? static_cast<uint32_t>(high[r * row_step].bits) << 16 : 0);
    }
  }
};

}  // namespace

void dot_piece_bf16(const Product& product, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const int64_t pairs = pairs_of(product.depth);
  const LeftRows left(product, row, rows);
  const Tensor panel = Tensor::empty({product.packed_right ? 0 : columns_of_panel * pairs}, {i32, cpu_device});
  const auto pack = HWY_DYNAMIC_DISPATCH(pack_pairs);
  const auto dot = HWY_DYNAMIC_DISPATCH(dot_panel);
  for (int64_t c = column; c < column + columns; c += columns_of_panel) {
    const int64_t width = std::min(columns_of_panel, column + columns - c);
    const auto* packed = static_cast<const uint32_t*>(product.packed_right) + c * pairs;
    if (!product.packed_right) {
      auto* own = reinterpret_cast<uint32_t*>(panel.data<int32_t>());
      pack(static_cast<const bfloat16*>(product.right) + c * product.right_column_step,
           static_cast<size_t>(product.right_depth_step), static_cast<size_t>(product.right_column_step),
           static_cast<size_t>(product.depth), static_cast<size_t>(width), own);
      packed = own;
    }
    dot(left.rows.data(), left.step, static_cast<size_t>(rows), packed, static_cast<size_t>(pairs),
        product.bias ? static_cast<const bfloat16*>(product.bias) + c : nullptr, product.relu,
        static_cast<size_t>(width), static_cast<bfloat16*>(product.out) + row * product.out_row_step + c,
        static_cast<size_t>(product.out_row_step));
  }
}

}  // namespace percale::cpu
#endif
