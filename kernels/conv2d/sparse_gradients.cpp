#include "sparse_gradients.h"

#include <algorithm>
#include <bit>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/conv2d/sparse_gradients.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

/// sums[row][vector] += value * image[offset][row][vector] for each of the list; the sums stay in registers.
template <int rows, int vectors>
void add_weights(const GradientList& list, const float* image, float* sums) {
  const Floats d;
  FloatVector totals[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) totals[r][v] = hn::LoadU(d, sums + r * list.pitch + v * float_lanes);
  for (int64_t i = 0; i < list.count; ++i) {
    const FloatVector value = hn::Set(d, list.entries[i].value);
    const float* from = image + list.entries[i].offset;
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r, from += list.row_step)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v)
        totals[r][v] = hn::MulAdd(value, hn::LoadU(d, from + v * float_lanes), totals[r][v]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) hn::StoreU(totals[r][v], d, sums + r * list.pitch + v * float_lanes);
}

/// image[offset][row][vector] += value * weights[row][vector] for each of the list; the weights stay in registers. Of
/// the last vector only `tail` lanes are a window's: the others must not meet an infinity.
template <int rows, int vectors>
void add_image(const GradientList& list, const float* weights, int64_t tail, float* image) {
  const Floats d;
  FloatVector by[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) by[r][v] = hn::LoadU(d, weights + r * list.pitch + v * float_lanes);
  const auto within = hn::FirstN(d, static_cast<size_t>(tail));
  for (int64_t i = 0; i < list.count; ++i) {
    const FloatVector value = hn::Set(d, list.entries[i].value), last = hn::IfThenElseZero(within, value);
    float* to = image + list.entries[i].offset;
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r, to += list.row_step)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        float* at = to + v * float_lanes;
        hn::StoreU(hn::MulAdd(v + 1 == vectors ? last : value, by[r][v], hn::LoadU(d, at)), d, at);
      }
  }
}

/// Calls `body.template operator()<rows, vectors>(row, column)` for blocks that cover a window and fit the registers.
template <class Body>
HWY_INLINE void for_blocks(const WindowRows& window, Body body) {
  constexpr int wide_rows = float_lanes == 16 ? 3 : float_lanes == 8 ? 2 : 1, most = 6;
  const int64_t vectors = (window.length + float_lanes - 1) / float_lanes;
  const auto columns = [&]<int rows>(int64_t row) HWY_ATTR {
    int64_t v = 0;
    for (; v + most <= vectors; v += most) body.template operator()<rows, most>(row, v * float_lanes);
    for (; v + 3 <= vectors; v += 3) body.template operator()<rows, 3>(row, v * float_lanes);
    for (; v < vectors; ++v) body.template operator()<rows, 1>(row, v * float_lanes);
  };
  int64_t row = 0;
  for (; row + wide_rows <= window.rows; row += wide_rows) columns.template operator()<wide_rows>(row);
  for (; row < window.rows; ++row) columns.template operator()<1>(row);
}

void weight_sums(const WindowRows& window, const GradientList& list, const float* image, float* sums) {
  for_blocks(window, [&]<int rows, int vectors>(int64_t row, int64_t column) HWY_ATTR {
    add_weights<rows, vectors>(list, image + row * list.row_step + column, sums + row * window.pitch + column);
  });
}

void image_sums(const WindowRows& window, const GradientList& list, const float* weights, float* image) {
  for_blocks(window, [&]<int rows, int vectors>(int64_t row, int64_t column) HWY_ATTR {
    const int64_t tail = std::min(window.length - column - (vectors - 1) * float_lanes, float_lanes);
    add_image<rows, vectors>(list, weights + row * window.pitch + column, tail, image + row * list.row_step + column);
  });
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
namespace {

HWY_EXPORT(weight_sums);
HWY_EXPORT(image_sums);

constexpr int64_t list_values = 16 * 1024;  // with their offsets 128 KiB, in a core's second cache

}  // namespace

void pack_window_rows(const ConvolutionShape& s, const Tensor& weight, float* packed) {
  const WindowRows window(s);
  const Strides& by = weight.strides();
  std::fill_n(packed, window.numel(s), 0.0f);
  for (int64_t o = 0; o < s.out_channels; ++o)
    for (int64_t v = 0; v < s.kernel_height; ++v)
      for (int64_t u = 0; u < s.kernel_width; ++u)
        for (int64_t i = 0; i < s.in_channels; ++i)
          packed[window.place(s, o, v, u, i)] = weight.data<float>()[o * by[0] + i * by[1] + v * by[2] + u * by[3]];
}

SparseGradient::SparseGradient(const ConvolutionShape& s)
    : shape_(s), window_(s), padded_(s, 0, s.out_height, window_.block) {
  const int64_t tiles = (s.out_width + 1) / 2, row_values = tiles * 4 * s.out_channels;
  tile_rows_ = std::clamp<int64_t>(list_values / row_values, 1, (s.out_height + 1) / 2);
  entries_ =
      Tensor::empty({(tile_rows_ * row_values + 1) * static_cast<int64_t>(sizeof(GradientEntry))}, {u8, cpu_device});
  starts_ = Tensor::empty({s.out_channels + 1}, {i32, cpu_device});
}

/// Without a branch: a value is always written, and kept if it is not zero.
void SparseGradient::list(const OutputGradient& from, int64_t first_row, int64_t rows) {
  const ConvolutionShape& s = shape_;
  const int64_t channels = s.out_channels, column_step = s.stride_width * padded_.block;
  const int64_t line_step = s.stride_height * padded_.row_step;
  const int64_t steps[4] = {0, column_step, line_step, line_step + column_step};
  int32_t* starts = starts_.data<int32_t>();
  auto* const entries = static_cast<GradientEntry*>(entries_.data());
  GradientEntry* next = entries;
  const auto keep = [&](int64_t offset, float value) {
    *next = {static_cast<int32_t>(offset), value};
    next += value != 0;
  };
  for (int64_t o = 0; o < channels; ++o) {
    starts[o] = static_cast<int32_t>(next - entries);
    for (int64_t row = first_row; row < first_row + rows; ++row) {
      if (from.pooled) {
        const int64_t width = s.out_width / 2;
        for (int64_t column = 0; row < s.out_height / 2 && column < width; ++column) {
          const int64_t at = (row * width + column) * channels + o;
          const uint32_t passes = from.pooled[at] <= 0 ? 0u : ~0u;
          keep(row * 2 * line_step + column * 2 * column_step + steps[from.position[at]],
               std::bit_cast<float>(std::bit_cast<uint32_t>(from.gradient[at]) & passes));
        }
        continue;
      }
      for (int64_t column = 0; column < s.out_width; column += 2)
        for (int64_t y = row * 2; y < std::min(row * 2 + 2, s.out_height); ++y)
          for (int64_t x = column; x < std::min(column + 2, s.out_width); ++x)
            keep(y * line_step + x * column_step, from.gradient[(y * s.out_width + x) * channels + o]);
    }
  }
  starts[channels] = static_cast<int32_t>(next - entries);
}

void SparseGradient::run(const OutputGradient& gradient, const float* padded_in, float* sums, const float* weights,
                         float* padded_gradient) {
  const auto add_weights = HWY_DYNAMIC_DISPATCH(weight_sums);
  const auto add_image = HWY_DYNAMIC_DISPATCH(image_sums);
  const int64_t tile_rows = (shape_.out_height + 1) / 2, window_numel = window_.rows * window_.pitch;
  const int32_t* starts = starts_.data<int32_t>();
  const auto list_of = [&](int64_t o) -> GradientList {
    return {static_cast<const GradientEntry*>(entries_.data()) + starts[o], starts[o + 1] - starts[o],
            padded_.row_step * shape_.dilation_height, window_.pitch};
  };
  if (padded_gradient) std::fill_n(padded_gradient, padded_.numel(), 0.0f);
  for (int64_t row = 0; row < tile_rows; row += tile_rows_) {
    list(gradient, row, std::min(tile_rows_, tile_rows - row));
    // A block of the image stays in cache while all channels add to it.
    for (int64_t i = 0; i < window_.blocks * shape_.out_channels; ++i) {
      const int64_t image = i / shape_.out_channels * padded_.block_step, o = i % shape_.out_channels;
      if (sums && starts[o + 1] != starts[o])
        add_weights(window_, list_of(o), padded_in + image, sums + i * window_numel);
    }
    for (int64_t i = 0; i < window_.blocks * shape_.out_channels; ++i) {
      const int64_t image = i / shape_.out_channels * padded_.block_step, o = i % shape_.out_channels;
      if (padded_gradient && starts[o + 1] != starts[o])
        add_image(window_, list_of(o), weights + i * window_numel, padded_gradient + image);
    }
  }
}

}  // namespace percale::cpu
#endif
