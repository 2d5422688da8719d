#include "wide_windows.h"

#include <algorithm>
#include <utility>

#include "few_channels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/conv2d/wide_windows.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

constexpr int64_t windows_at_once = 8;

/// Windows side by side, in the image or copied.
struct WindowRow {
  const float* at;
  int64_t step, row_step;  ///< floats from one to the next, and from one row of a window to the next
  int64_t ahead;           ///< floats to the windows of the next output row, which are fetched while these are read
};

/// Windows of an image, and which of them lie wholly within it.
struct ImageWindows {
  const ConvolutionShape& s;
  const float* image;
  int64_t line;         ///< floats of a window's row
  int64_t first, last;  ///< columns from `first` to `last` - 1 need no padding to the left or right

  ImageWindows(const ConvolutionShape& shape, const float* from)
      : s(shape),
        image(from),
        line(shape.kernel_width * shape.in_channels),
        first((shape.padding_width + shape.stride_width - 1) / shape.stride_width),
        last(std::max<int64_t>(
            (shape.in_width + shape.padding_width - shape.kernel_width + shape.stride_width) / shape.stride_width, 0)) {
  }

  bool has_row(int64_t y) const {
    const int64_t top = y * s.stride_height - s.padding_height;
    return top >= 0 && top + (s.kernel_height - 1) * s.dilation_height < s.in_height;
  }
  bool has_column(int64_t x) const { return x >= first && x < last; }
  /// Those of output row `y` from column `x` on, where they lie within the image.
  WindowRow row(int64_t y, int64_t x) const {
    const int64_t top = y * s.stride_height - s.padding_height, left = x * s.stride_width - s.padding_width;
    const int64_t row_step = s.in_width * s.in_channels;
    return {image + top * row_step + left * s.in_channels, s.stride_width * s.in_channels, row_step * s.dilation_height,
            row_step * s.stride_height};
  }
  /// The window with its padding, its rows one behind the other.
  void copy(int64_t y, int64_t x, float* to) const {
    const int64_t left = x * s.stride_width - s.padding_width;
    const int64_t begin = std::clamp<int64_t>(-left, 0, s.kernel_width),
                  end = std::clamp<int64_t>(s.in_width - left, begin, s.kernel_width);
    for (int64_t v = 0; v < s.kernel_height; ++v, to += line) {
      const int64_t in_y = y * s.stride_height - s.padding_height + v * s.dilation_height;
      std::fill_n(to, line, 0.0f);
      if (in_y < 0 || in_y >= s.in_height) continue;
      std::copy_n(image + (in_y * s.in_width + left + begin) * s.in_channels, (end - begin) * s.in_channels,
                  to + begin * s.in_channels);
    }
  }
};

/// The sums of eight windows in `vectors` vectors of channels: bias first, then value after value.
template <int vectors>
HWY_INLINE void eight_windows(const ConvolutionShape& s, int64_t line, const WindowRow& windows, const float* weights,
                              const float* bias, FloatVector (&sums)[windows_at_once][vectors]) {
  const Floats d;
  const int64_t pitch = value_pitch(s), step = windows.step;
  const float* at = windows.at;
#pragma GCC unroll 9
  for (auto& sum : sums)
#pragma GCC unroll 9
    for (int v = 0; v < vectors; ++v) sum[v] = hn::LoadU(d, bias + v * float_lanes);
  for (int64_t row = 0; row < s.kernel_height; ++row, at += windows.row_step) {
    for (int64_t i = 0; i < windows_at_once; ++i) hwy::Prefetch(at + windows.ahead + i * step);
    for (int64_t j = 0; j < line; ++j, weights += pitch) {
      FloatVector by[vectors];
#pragma GCC unroll 9
      for (int v = 0; v < vectors; ++v) by[v] = hn::LoadU(d, weights + v * float_lanes);
#pragma GCC unroll 9
      for (int64_t i = 0; i < windows_at_once; ++i) {
        const FloatVector value = hn::Set(d, at[i * step + j]);
#pragma GCC unroll 9
        for (int v = 0; v < vectors; ++v) sums[i][v] = hn::MulAdd(value, by[v], sums[i][v]);
      }
    }
  }
}

void wide_forward(const ConvolutionShape& s, const float* image, const float* weights, const float* bias, bool relu,
                  int64_t first_row, int64_t rows, float* out) {
  const Floats d;
  const ImageWindows windows(s, image);
  const int64_t channels = s.out_channels, values = s.kernel_height * windows.line;
  const Tensor copies = Tensor::empty({windows_at_once * values});
  for (int64_t y = first_row; y < first_row + rows; ++y, out += s.out_width * channels) {
    for (int64_t x = 0; x < s.out_width; x += windows_at_once) {
      const int64_t pixels = std::min(windows_at_once, s.out_width - x);
      WindowRow row = windows.row(y, x);
      if (!windows.has_row(y) || !windows.has_column(x) || !windows.has_column(x + windows_at_once - 1)) {
        row = {copies.data<float>(), values, windows.line, 0};
        for (int64_t i = 0; i < windows_at_once; ++i)
          windows.copy(y, std::min(x + i, s.out_width - 1), copies.data<float>() + i * values);
      }
      const auto write = [&]<int vectors>(int64_t channel) HWY_ATTR {
        FloatVector sums[windows_at_once][vectors];
        eight_windows<vectors>(s, windows.line, row, weights + channel, bias + channel, sums);
#pragma GCC unroll 9
        for (int64_t i = 0; i < windows_at_once; ++i)
#pragma GCC unroll 9
          for (int v = 0; v < vectors; ++v) {
            const FloatVector sum = sums[i][v];
            const FloatVector result = relu ? hn::IfThenZeroElse(hn::Le(sum, hn::Zero(d)), sum) : sum;
            const int64_t from = channel + v * float_lanes;
            if (i < pixels) store_some(result, out + (x + i) * channels + from, channels - from);
          }
      };
      int64_t channel = 0;
      if constexpr (float_lanes == 16)
        for (; channel + float_lanes < channels; channel += 2 * float_lanes) write.template operator()<2>(channel);
      for (; channel < channels; channel += float_lanes) write.template operator()<1>(channel);
    }
  }
}

/// One vector of channels of an output row's gradient.
struct GradientRow {
  const float* at;
  int64_t pixels, channels;  ///< `channels` from one pixel to the next
  int64_t have;              ///< channels from here on
};

/// sums[k] += the products of the gradient with value k of its windows.
template <int count>
void add_values(const WindowRow& windows, const GradientRow& gradient, float* sums, int64_t pitch) {
  const Floats d;
  FloatVector totals[count];
#pragma GCC unroll 16
  for (int k = 0; k < count; ++k) totals[k] = hn::Zero(d);
  const float *window = windows.at, *upstream = gradient.at;
  const auto add = [&](FloatVector by) HWY_ATTR {
    hwy::Prefetch(window + windows.ahead);
#pragma GCC unroll 16
    for (int k = 0; k < count; ++k) totals[k] = hn::MulAdd(hn::Set(d, window[k]), by, totals[k]);
    window += windows.step;
    upstream += gradient.channels;
  };
  if (gradient.have >= float_lanes)
    for (int64_t x = 0; x < gradient.pixels; ++x) add(hn::LoadU(d, upstream));
  else
    for (int64_t x = 0; x < gradient.pixels; ++x) add(load_some(upstream, gradient.have));
#pragma GCC unroll 16
  for (int k = 0; k < count; ++k, sums += pitch) hn::StoreU(hn::Add(hn::LoadU(d, sums), totals[k]), d, sums);
}

using AddValues = void (*)(const WindowRow&, const GradientRow&, float*, int64_t);
constexpr int most_totals = float_lanes == 16 ? 16 : 12;  // that fit the registers

template <int... counts>
AddValues add_values_of(int64_t count, std::integer_sequence<int, counts...>) {
  constexpr AddValues all[] = {add_values<counts + 1>...};
  return all[count - 1];
}

/// The share of some pixels of a row.
void add_pixels(const ConvolutionShape& s, const WindowRow& windows, const float* gradient, int64_t pixels,
                float* sums) {
  const int64_t pitch = value_pitch(s), line = s.kernel_width * s.in_channels,
                parts = (line + most_totals - 1) / most_totals;
  for (int64_t v = 0; v < s.kernel_height; ++v)
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t begin = line * part / parts, end = line * (part + 1) / parts;
      const AddValues add = add_values_of(end - begin, std::make_integer_sequence<int, most_totals>());
      WindowRow values = windows;
      values.at += v * windows.row_step + begin;
      for (int64_t channel = 0; channel < s.out_channels; channel += float_lanes)
        add(values, {gradient + channel, pixels, s.out_channels, s.out_channels - channel},
            sums + (v * line + begin) * pitch + channel, pitch);
    }
}

void wide_weight_gradient(const ConvolutionShape& s, const float* image, const float* gradient, int64_t first_row,
                          int64_t rows, float* sums) {
  const ImageWindows windows(s, image);
  const Tensor copy = Tensor::empty({s.kernel_height * windows.line});
  for (int64_t y = first_row; y < first_row + rows; ++y, gradient += s.out_width * s.out_channels) {
    const bool inside = windows.has_row(y);
    for (int64_t x = 0, pixels; x < s.out_width; x += pixels) {
      const float* upstream = gradient + x * s.out_channels;
      if (inside && windows.has_column(x)) {
        pixels = std::min(windows.last, s.out_width) - x;
        add_pixels(s, windows.row(y, x), upstream, pixels, sums);
      } else {
        pixels = 1;
        windows.copy(y, x, copy.data<float>());
        add_pixels(s, {copy.data<float>(), 0, windows.line, 0}, upstream, pixels, sums);
      }
    }
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {

HWY_EXPORT(wide_forward);
HWY_EXPORT(wide_weight_gradient);

void wide_windows_forward(const ConvolutionShape& shape, const float* image, const float* weights, const float* bias,
                          bool relu, int64_t row, int64_t rows, float* out) {
  HWY_DYNAMIC_DISPATCH(wide_forward)(shape, image, weights, bias, relu, row, rows, out);
}

void wide_windows_weight_gradient(const ConvolutionShape& shape, const float* image, const float* gradient, int64_t row,
                                  int64_t rows, float* sums) {
  HWY_DYNAMIC_DISPATCH(wide_weight_gradient)(shape, image, gradient, row, rows, sums);
}

}  // namespace percale::cpu
#endif
