#include "product_bf16_pairs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/common/product_bf16_pairs.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "dot_pairs-inl.h"

#ifndef PERCALE_PAIR_RESULT
#define PERCALE_PAIR_RESULT
namespace percale::cpu {
/// Where the columns of a panel go, and what is done to them before.
struct PairResult {
  const bfloat16* bias;  ///< or null
  Activation activation;
  size_t width;
  bfloat16* out;
  size_t row_step;
};
}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void pack_pairs(const bfloat16* from, size_t depth_step, size_t column_step, size_t depth, size_t width, uint32_t* to) {
  pack_panel(from, depth_step, column_step, depth, width, to);
}

#if HWY_TARGET == HWY_AVX3
/// x P(X <= x), to be rounded to bf16: below -5 within 2e-9, else within 0.14 %, which is less than the rounding. P is
/// the logistic function of an odd polynomial (our own fit, minimax on [0, 5]), by powers of two.
HWY_INLINE PairSums rough_gelu(PairSums x) {
  const hn::ScalableTag<float> d;
  const auto square = hn::Mul(x, x);
  auto odd = hn::MulAdd(hn::Set(d, -1.3032088e-5f), square, hn::Set(d, 0.0014235594f));
  odd = hn::MulAdd(odd, square, hn::Set(d, -0.10939677f));
  odd = hn::MulAdd(odd, square, hn::Set(d, -2.2976468f));
  odd = hn::Mul(odd, x);
  const auto whole = hn::Round(odd), rest = hn::Sub(odd, whole);
  auto power = hn::MulAdd(hn::Set(d, 0.055171702f), rest, hn::Set(d, 0.2426112f));
  power = hn::MulAdd(power, rest, hn::Set(d, 0.69326097f));
  power = hn::MulAdd(power, rest, hn::Set(d, 0.99992806f));
  asm("vscalefps %1, %0, %0" : "+v"(power.raw) : "v"(whole.raw));
  return hn::Div(x, hn::Add(power, hn::Set(d, 1.0f)));
}
#endif

/// Rows of pairs by a panel, of which `to.width` columns are wanted.
void dot_panel([[maybe_unused]] const PairRows& left, [[maybe_unused]] const uint32_t* panel,
               [[maybe_unused]] const PairResult& to) {
#if HWY_TARGET == HWY_AVX3
  const hn::ScalableTag<float> d;
  HWY_ALIGN float bias[pair_panel] = {};
  for (size_t c = 0; to.bias && c < to.width; ++c) bias[c] = to.bias[c];
  const auto finish = [&](size_t row, size_t v, PairSums sums) HWY_ATTR {
    if (16 * v >= to.width) return;
    if (to.bias) sums = hn::Add(sums, hn::Load(d, bias + 16 * v));
    if (to.activation == Activation::relu) sums = hn::IfThenZeroElse(hn::Lt(sums, hn::Zero(d)), sums);
    if (to.activation == Activation::gelu) sums = rough_gelu(sums);
    store_bf16_columns(sums, to.out + row * to.row_step + 16 * v, to.width - 16 * v);
  };
  dot_all_rows(left, panel, finish);
#endif
}

bool has_dots() { return dots_pairs; }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>

#include "../../core/cpu/onednn.h"

namespace percale::cpu {

HWY_EXPORT(pack_pairs);
HWY_EXPORT(dot_panel);
HWY_EXPORT(has_dots);

namespace {

constexpr int64_t columns_of_panel = 32;

int64_t pairs_of(int64_t depth) { return (depth + 1) / 2; }

}  // namespace

bool has_bf16_pairs() {
  static const bool processor = multiplies_bf16();
  return processor && HWY_DYNAMIC_DISPATCH(has_dots)();
}

bool dots_bf16_pairs() {
  static const bool has_amx =
      static_cast<int>(dnnl::get_effective_cpu_isa()) >= static_cast<int>(dnnl::cpu_isa::avx512_core_amx);
  return has_bf16_pairs() && !has_amx;
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

/// The left operand's rows as products read them: as they lie, or packed into `packed`.
PairRows left_rows(const Product& product, int64_t row, int64_t count, Tensor& packed) {
  const auto* from = static_cast<const bfloat16*>(product.left) + row * product.left_row_step;
  const int64_t depth = product.depth, row_step = product.left_row_step, depth_step = product.left_depth_step;
  const auto rows = static_cast<size_t>(count), pairs = static_cast<size_t>(pairs_of(depth));
  if (depth_step == 1 && depth % 2 == 0)
    return {reinterpret_cast<const char*>(from), static_cast<size_t>(row_step) * sizeof(bfloat16), sizeof(uint32_t),
            rows, pairs};
  packed = Tensor::empty({pairs_of(depth) * count}, {i32, cpu_device});
  auto* to = reinterpret_cast<uint32_t*>(packed.data<int32_t>());
  for (int64_t k = 0; k < depth; k += 2, to += count) {
    const bfloat16 *low = from + k * depth_step, *high = k + 1 < depth ? low + depth_step : nullptr;
    for (int64_t r = 0; r < count; ++r)
      to[r] = low[r * row_step].bits | (high ? static_cast<uint32_t>(high[r * row_step].bits) << 16 : 0);
  }
  return {reinterpret_cast<const char*>(packed.data<int32_t>()), sizeof(uint32_t), rows * sizeof(uint32_t), rows,
          pairs};
}

}  // namespace

void dot_piece_bf16(const Product& product, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const int64_t pairs = pairs_of(product.depth);
  Tensor packed_left;
  const PairRows left = left_rows(product, row, rows, packed_left);
  Tensor panel;
  if (!product.packed_right) panel = Tensor::empty({columns_of_panel * pairs}, {i32, cpu_device});
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
    dot(left, packed,
        {product.bias ? static_cast<const bfloat16*>(product.bias) + c : nullptr, product.activation,
         static_cast<size_t>(width), static_cast<bfloat16*>(product.out) + row * product.out_row_step + c,
         static_cast<size_t>(product.out_row_step)});
  }
}

}  // namespace percale::cpu
#endif
