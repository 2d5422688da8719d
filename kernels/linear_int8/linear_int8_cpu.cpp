// Products of 8-bit integers on the CPU: rows rounded, then multiplied by packed weights and scaled in one pass.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "linear_int8_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/linear_int8/linear_int8_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef PERCALE_INT8_ROW
#define PERCALE_INT8_ROW
namespace percale::cpu {
/// How a row was rounded: x = scale * (value - zero).
struct RoundedRow {
  float scale;
  int32_t zero;
};
}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Rounds a row of `count` elements, and fills up to `depth` with what counts for nothing.
RoundedRow round_row(const float* x, size_t count, size_t depth, uint8_t* to) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto least = hn::Zero(d), most = hn::Zero(d), odd = hn::Zero(d);  // x - x is 0, or NaN for NaN and infinities
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto value = hn::LoadU(d, x + i);
    least = hn::Min(least, value);
    most = hn::Max(most, value);
    odd = hn::Add(odd, hn::Sub(value, value));
  }
  float low = hn::GetLane(hn::MinOfLanes(d, least)), high = hn::GetLane(hn::MaxOfLanes(d, most));
  float wrong = hn::GetLane(hn::SumOfLanes(d, odd));
  for (size_t k = i; k < count; ++k) {
    low = std::min(low, x[k]);
    high = std::max(high, x[k]);
    wrong += x[k] - x[k];
  }
  const double range = static_cast<double>(high) - static_cast<double>(low);  // in f32 it might overflow
  if (wrong != 0 || range < 1e-36) {  // NaN, or nothing that a product could show
    std::memset(to, 0, depth);
    return {wrong, 0};
  }
  const auto factor = static_cast<float>(255 / range);
  const RoundedRow row{static_cast<float>(range / 255), static_cast<int32_t>(std::nearbyint(-low * factor))};
  const hn::RebindToSigned<decltype(d)> whole;
  const hn::Rebind<uint8_t, decltype(d)> bytes;
  const auto times = hn::Set(d, factor), zero = hn::Set(d, static_cast<float>(row.zero));
  const auto bounded = [&](auto value) HWY_ATTR {
    return hn::NearestInt(hn::Min(hn::Max(hn::MulAdd(value, times, zero), hn::Zero(d)), hn::Set(d, 255.0f)));
  };
  for (i = 0; i + lanes <= count; i += lanes)
    hn::StoreU(hn::DemoteTo(bytes, bounded(hn::LoadU(d, x + i))), bytes, to + i);
  if (i < count) {
    HWY_ALIGN float last[HWY_MAX_BYTES / sizeof(float)] = {};
    HWY_ALIGN int32_t rounded[HWY_MAX_BYTES / sizeof(float)];
    std::memcpy(last, x + i, (count - i) * sizeof(float));
    hn::Store(bounded(hn::Load(d, last)), whole, rounded);
    for (size_t k = 0; i + k < count; ++k) to[i + k] = static_cast<uint8_t>(rounded[k]);
  }
  std::memset(to + count, 0, depth - count);  // the weights are 0 there
  return row;
}

/// result = scales (sums - zero * weight sums) + bias, and ReLU: `count` rows of a panel, `width` columns of it.
void finish_rows(const int32_t* sums, const RoundedRow* rows, size_t count, const float* scales,
                 const int32_t* weight_sums, const float* bias, bool relu, size_t width, float* result, size_t step) {
  const hn::CappedTag<float, int8_panel> d;
  const hn::RebindToSigned<decltype(d)> whole;
  HWY_ALIGN float own_bias[int8_panel] = {}, last[int8_panel];
  if (bias) std::memcpy(own_bias, bias, width * sizeof(float));
  for (size_t r = 0; r < count; ++r, sums += int8_panel, result += step) {
    const auto scale = hn::Set(d, rows[r].scale);
    const auto zero = hn::Set(whole, rows[r].zero);
    float* to = width == int8_panel ? result : last;
    for (size_t c = 0; c < int8_panel; c += hn::MaxLanes(d)) {
      const auto exact = hn::Sub(hn::LoadU(whole, sums + c), hn::Mul(zero, hn::LoadU(whole, weight_sums + c)));
      auto value = hn::Mul(hn::ConvertTo(d, exact), hn::Mul(scale, hn::LoadU(d, scales + c)));
      if (bias) value = hn::Add(value, hn::LoadU(d, own_bias + c));
      if (relu) value = hn::IfThenZeroElse(hn::Lt(value, hn::Zero(d)), value);
      hn::StoreU(value, d, to + c);
    }
    if (width < int8_panel) std::memcpy(result, last, width * sizeof(float));
  }
}

/// sums[r][c] of rows by a panel, for processors without instructions for it.
void multiply_panel(const uint8_t* const* rows, size_t count, const int8_t* panel, size_t depth, int32_t* sums) {
  for (size_t r = 0; r < count; ++r) {
    HWY_ALIGN int32_t own[int8_panel] = {};
    const int8_t* weights = panel;
    for (size_t k = 0; k < depth; k += int8_group, weights += int8_group * int8_panel)
      for (size_t c = 0; c < int8_panel; ++c)
        for (size_t g = 0; g < int8_group; ++g)
          own[c] += int32_t{rows[r][k + g]} * int32_t{weights[c * int8_group + g]};
    std::memcpy(sums + r * int8_panel, own, sizeof own);
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "../../core/cpu/threads.h"

namespace percale::cpu {

HWY_EXPORT(round_row);
HWY_EXPORT(finish_rows);
HWY_EXPORT(multiply_panel);

namespace {

constexpr int64_t rows_of_piece = 32;
constexpr int64_t enough_pieces = 32, least_panels_of_piece = 12;

#if defined(__x86_64__)
#define PERCALE_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

/// As `multiply_panel`. The instruction stands as assembly, since gcc 12 copies the sums around its intrinsic: half the
/// speed.
template <int rows>
PERCALE_VNNI inline void multiply_rows_vnni(const uint8_t* const* from, const int8_t* panel, size_t depth,
                                            int32_t* sums) {
  __m512i own[rows][2];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) own[r][0] = own[r][1] = _mm512_setzero_si512();
  for (size_t k = 0; k < depth; k += int8_group, panel += int8_group * int8_panel) {
    const __m512i left = _mm512_loadu_si512(panel), right = _mm512_loadu_si512(panel + 64);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      int32_t four;
      std::memcpy(&four, from[r] + k, sizeof four);
      const __m512i x = _mm512_set1_epi32(four);
      asm("vpdpbusd %2, %1, %0" : "+v"(own[r][0]) : "v"(x), "v"(left));
      asm("vpdpbusd %2, %1, %0" : "+v"(own[r][1]) : "v"(x), "v"(right));
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    _mm512_storeu_si512(sums + r * int8_panel, own[r][0]);
    _mm512_storeu_si512(sums + r * int8_panel + 16, own[r][1]);
  }
}

PERCALE_VNNI void multiply_panel_vnni(const uint8_t* const* rows, size_t count, const int8_t* panel, size_t depth,
                                      int32_t* sums) {
  size_t r = 0;
  for (; r + 8 <= count; r += 8) multiply_rows_vnni<8>(rows + r, panel, depth, sums + r * int8_panel);
  if (r + 4 <= count) multiply_rows_vnni<4>(rows + r, panel, depth, sums + r * int8_panel), r += 4;
  if (r + 2 <= count) multiply_rows_vnni<2>(rows + r, panel, depth, sums + r * int8_panel), r += 2;
  if (r < count) multiply_rows_vnni<1>(rows + r, panel, depth, sums + r * int8_panel);
}
#endif

using MultiplyPanel = void (*)(const uint8_t* const*, size_t, const int8_t*, size_t, int32_t*);

MultiplyPanel chosen_multiply() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) return multiply_panel_vnni;
#endif
  return HWY_DYNAMIC_DISPATCH(multiply_panel);
}

/// A panel's parts.
template <class Byte>
struct Panel {
  Byte* start;
  float* scales() const { return reinterpret_cast<float*>(const_cast<char*>(start)); }
  int32_t* sums() const { return reinterpret_cast<int32_t*>(const_cast<char*>(start) + 4 * int8_panel); }
  int8_t* values() const { return reinterpret_cast<int8_t*>(const_cast<char*>(start) + 8 * int8_panel); }
};

Panel<const char> panel_of(const QuantisedWeight& weight, const Int8Layout& layout, int64_t index) {
  return {static_cast<const char*>(weight.packed->data()) + index * layout.panel_bytes()};
}

int8_t& value_at(int8_t* values, int64_t column, int64_t k) {
  return values[k / int8_group * int8_group * int8_panel + column * int8_group + k % int8_group];
}

struct Layer {
  Int8Layout layout;
  const Tensor& x;
  const QuantisedWeight& weight;
  const Tensor& bias;
  Activation activation;
  const Tensor& result;
};

/// Rounds `rows` rows, and multiplies them by panels `panel` to `end` - 1.
void run_piece(const Layer& layer, int64_t row, int64_t rows, int64_t panel, int64_t end) {
  const int64_t in = layer.layout.in, depth = layer.layout.depth(), out = layer.layout.out;
  const Tensor rounded = Tensor::empty({rows, depth}, {u8, cpu_device});
  const auto round = HWY_DYNAMIC_DISPATCH(round_row);
  const auto finish = HWY_DYNAMIC_DISPATCH(finish_rows);
  const auto multiply = chosen_multiply();
  RoundedRow roundings[rows_of_piece];
  const uint8_t* from[rows_of_piece];
  for (int64_t r = 0; r < rows; ++r) {
    uint8_t* to = rounded.data<uint8_t>() + r * depth;
    roundings[r] =
        round(layer.x.data<float>() + (row + r) * in, static_cast<size_t>(in), static_cast<size_t>(depth), to);
    from[r] = to;
  }
  for (; panel < end; ++panel) {
    const auto weights = panel_of(layer.weight, layer.layout, panel);
    const int64_t column = panel * int8_panel, width = std::min(int8_panel, out - column);
    const float* bias = layer.bias.defined() ? layer.bias.data<float>() + column : nullptr;
    alignas(64) int32_t sums[rows_of_piece * int8_panel];
    multiply(from, static_cast<size_t>(rows), weights.values(), static_cast<size_t>(depth), sums);
    finish(sums, roundings, static_cast<size_t>(rows), weights.scales(), weights.sums(), bias,
           layer.activation == Activation::relu, static_cast<size_t>(width),
           layer.result.data<float>() + row * out + column, static_cast<size_t>(out));
  }
}

}  // namespace

void quantise_rows(const Tensor& weight, void* packed) {
  const Int8Layout layout{weight.size(0), weight.size(1)};
  const int64_t row_step = weight.stride(0), step = weight.stride(1);
  parallel_for(layout.panels(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Panel<char> panel{static_cast<char*>(packed) + i * layout.panel_bytes()};
      std::memset(panel.start, 0, static_cast<size_t>(layout.panel_bytes()));
      for (int64_t c = 0; c < std::min(int8_panel, layout.out - i * int8_panel); ++c) {
        const float* row = weight.data<float>() + (i * int8_panel + c) * row_step;
        float largest = 0, wrong = 0;
        for (int64_t k = 0; k < layout.in; ++k) {
          largest = std::max(largest, std::fabs(row[k * step]));
          wrong += row[k * step] - row[k * step];  // 0, or NaN for NaN and infinities
        }
        panel.scales()[c] = largest / 127 + wrong;
        if (!(panel.scales()[c] > 0)) continue;
        int32_t sum = 0;
        for (int64_t k = 0; k < layout.in; ++k) {
          const auto value =
              static_cast<int8_t>(std::clamp(std::nearbyint(row[k * step] / panel.scales()[c]), -127.0f, 127.0f));
          value_at(panel.values(), c, k) = value;
          sum += value;
        }
        panel.sums()[c] = sum;
      }
    }
  });
}

void dequantise(const QuantisedWeight& weight, const Tensor& result) {
  const Int8Layout layout{weight.out, weight.in};
  for (int64_t row = 0; row < layout.out; ++row) {
    const auto panel = panel_of(weight, layout, row / int8_panel);
    const int64_t column = row % int8_panel;
    for (int64_t k = 0; k < layout.in; ++k)
      result.data<float>()[row * layout.in + k] =
          panel.scales()[column] * static_cast<float>(value_at(panel.values(), column, k));
  }
}

void linear_int8(const Tensor& x, const QuantisedWeight& weight, const Tensor& bias, Activation activation,
                 const Tensor& result) {
  const Int8Layout layout{weight.out, weight.in};
  const int64_t rows = x.size(0), down = (rows + rows_of_piece - 1) / rows_of_piece;
  // Few rows: fewer columns a piece, though each piece rounds its rows again.
  const int64_t wanted = (enough_pieces + down - 1) / down;
  const int64_t panels = std::max((layout.panels() + wanted - 1) / wanted, least_panels_of_piece);
  const int64_t across = (layout.panels() + panels - 1) / panels;
  const Layer layer{layout, x, weight, bias, activation, result};
  parallel_for(down * across, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / across * rows_of_piece, panel = i % across * panels;
      run_piece(layer, row, std::min(rows_of_piece, rows - row), panel, std::min(panel + panels, layout.panels()));
    }
  });
}

}  // namespace percale::cpu
#endif
