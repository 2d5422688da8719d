#include "few_channels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/conv2d/few_channels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

/// The sums of four windows in `vectors` vectors of channels: bias first, then value after value.
template <int vectors>
HWY_INLINE void four_windows(const FewChannels& few, const float* const (&at)[4], const float* weights,
                             const float* bias, FloatVector (&sums)[4][vectors]) {
  const Floats d;
#pragma GCC unroll 9
  for (int v = 0; v < vectors; ++v)
#pragma GCC unroll 9
    for (auto& sum : sums) sum[v] = hn::LoadU(d, bias + v * float_lanes);
  for (int64_t k = 0; k < few.values; ++k, weights += few.pitch) {
    FloatVector by[vectors];
#pragma GCC unroll 9
    for (int v = 0; v < vectors; ++v) by[v] = hn::LoadU(d, weights + v * float_lanes);
#pragma GCC unroll 9
    for (int window = 0; window < 4; ++window) {
      const FloatVector value = hn::Set(d, at[window][few.offsets[k]]);
#pragma GCC unroll 9
      for (int v = 0; v < vectors; ++v) sums[window][v] = hn::MulAdd(value, by[v], sums[window][v]);
    }
  }
}

/// Calls `body.template operator()<vectors>(channel)` until all channels are done.
template <class Body>
HWY_INLINE void for_channels(int64_t channels, Body body) {
  int64_t channel = 0;
  for (; channel + float_lanes < channels; channel += 2 * float_lanes) body.template operator()<2>(channel);
  if (channel < channels) body.template operator()<1>(channel);
}

void forward(const FewChannels& few, const PaddedImage& padded, const float* in, const float* weights,
             const float* bias, int64_t rows, float* out) {
  const ConvolutionShape& s = few.shape;
  const int64_t channels = s.out_channels, step = s.stride_width * s.in_channels;
  for (int64_t y = 0; y < rows; ++y) {
    const float* line = in + y * s.stride_height * padded.row_step;
    for (int64_t x = 0; x < s.out_width; x += 4) {
      const float* at[4];
      for (int64_t i = 0; i < 4; ++i) at[i] = line + std::min(x + i, s.out_width - 1) * step;
      float* target = out + (y * s.out_width + x) * channels;
      const int64_t pixels = std::min<int64_t>(4, s.out_width - x);
      for_channels(channels, [&]<int vectors>(int64_t channel) HWY_ATTR {
        FloatVector sums[4][vectors];
        four_windows<vectors>(few, at, weights + channel, bias + channel, sums);
#pragma GCC unroll 9
        for (int i = 0; i < 4; ++i)
#pragma GCC unroll 9
          for (int v = 0; v < vectors; ++v) {
            const int64_t from = channel + v * float_lanes;
            if (i < pixels) store_some(sums[i][v], target + i * channels + from, channels - from);
          }
      });
    }
  }
}

void forward_pooled(const FewChannels& few, const PaddedImage& padded, const float* in, const float* weights,
                    const float* bias, int64_t rows, float* pooled, uint8_t* position) {
  const Floats d;
  const hn::RebindToSigned<Floats> integers;
  const ConvolutionShape& s = few.shape;
  const int64_t channels = s.out_channels, step = s.stride_width * s.in_channels,
                line_step = s.stride_height * padded.row_step;
  for (int64_t y = 0; y < rows / 2; ++y) {
    for (int64_t x = 0; x < s.out_width / 2; ++x) {
      const float* corner = in + y * 2 * line_step + x * 2 * step;
      const float* at[4] = {corner, corner + step, corner + line_step, corner + line_step + step};
      const int64_t target = (y * (s.out_width / 2) + x) * channels;
      for_channels(channels, [&]<int vectors>(int64_t channel) HWY_ATTR {
        FloatVector sums[4][vectors];
        four_windows<vectors>(few, at, weights + channel, bias + channel, sums);
#pragma GCC unroll 9
        for (int v = 0; v < vectors; ++v) {
          FloatVector largest = sums[0][v];
          auto where = hn::Zero(integers);
#pragma GCC unroll 9
          for (int i = 1; i < 4; ++i) {  // the first of equals, and NaN above all
            const auto more = hn::Or(hn::Gt(sums[i][v], largest), hn::IsNaN(sums[i][v]));
            largest = hn::IfThenElse(more, sums[i][v], largest);
            where = hn::IfThenElse(hn::RebindMask(integers, more), hn::Set(integers, i), where);
          }
          largest = hn::IfThenZeroElse(hn::Le(largest, hn::Zero(d)), largest);
          const int64_t from = channel + v * float_lanes;
          store_some(largest, pooled + target + from, channels - from);
          store_bytes(where, position + target + from, channels - from);
        }
      });
    }
  }
}

/// `count` values' sums for one vector of channels.
template <int count, class Tiles>
HWY_INLINE void weight_gradient_of(const FewChannels& few, const PaddedImage& padded, const float* in,
                                   const Tiles& tiles, int64_t channel, int64_t first, float* sums) {
  const Floats d;
  const ConvolutionShape& s = few.shape;
  const int64_t channels = s.out_channels - channel, step = s.stride_width * s.in_channels;
  const int64_t line_step = s.stride_height * padded.row_step;
  const int64_t steps[4] = {0, step, line_step, line_step + step};
  const int32_t* offsets = few.offsets + first;
  FloatVector totals[count];
#pragma GCC unroll 9
  for (int k = 0; k < count; ++k) totals[k] = hn::LoadU(d, sums + (first + k) * few.pitch + channel);
  for (int64_t row = 0; row < (s.out_height + 1) / 2; ++row) {
    for (int64_t column = 0; column < (s.out_width + 1) / 2; ++column) {
      if (!tiles.has(row, column, 0)) continue;
      const auto tile = tiles.tile(row, column, channel, channels);
      const float* corner = in + row * 2 * line_step + column * 2 * step;
#pragma GCC unroll 9
      for (int pixel = 0; pixel < 4; ++pixel) {
        if (!tiles.has(row, column, pixel)) continue;
        const FloatVector upstream = tile.pixel(pixel);
        const float* window = corner + steps[pixel];
#pragma GCC unroll 9
        for (int k = 0; k < count; ++k) totals[k] = hn::MulAdd(hn::Set(d, window[offsets[k]]), upstream, totals[k]);
      }
    }
  }
#pragma GCC unroll 9
  for (int k = 0; k < count; ++k) hn::StoreU(totals[k], d, sums + (first + k) * few.pitch + channel);
}

template <class Tiles>
HWY_INLINE void weight_gradient_through(const FewChannels& few, const PaddedImage& padded, const float* in,
                                        const Tiles& tiles, float* sums) {
  for (int64_t channel = 0; channel < few.shape.out_channels; channel += float_lanes) {
    int64_t k = 0;
    for (; k + 9 <= few.values; k += 9) weight_gradient_of<9>(few, padded, in, tiles, channel, k, sums);
    for (; k + 3 <= few.values; k += 3) weight_gradient_of<3>(few, padded, in, tiles, channel, k, sums);
    for (; k < few.values; ++k) weight_gradient_of<1>(few, padded, in, tiles, channel, k, sums);
  }
}

void weight_gradient(const FewChannels& few, const PaddedImage& padded, const float* in, const OutputGradient& gradient,
                     float* sums) {
  if (gradient.pooled)
    weight_gradient_through(few, padded, in, PooledTiles(few.shape, gradient), sums);
  else
    weight_gradient_through(few, padded, in, DenseTiles(few.shape, gradient), sums);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {

HWY_EXPORT(forward);
HWY_EXPORT(forward_pooled);
HWY_EXPORT(weight_gradient);

FewChannels::FewChannels(const ConvolutionShape& s)
    : shape(s), values(s.kernel_height * s.kernel_width * s.in_channels), pitch(value_pitch(s)) {
  const int64_t row_step = PaddedImage(s, 0, 1, s.in_channels).row_step;
  int32_t* next = offsets;
  for (int64_t v = 0; v < s.kernel_height; ++v)
    for (int64_t u = 0; u < s.kernel_width; ++u)
      for (int64_t i = 0; i < s.in_channels; ++i)
        *next++ = static_cast<int32_t>(v * s.dilation_height * row_step + u * s.dilation_width * s.in_channels + i);
}

void pack_values(const ConvolutionShape& s, const Tensor& weight, float* packed) {
  const Strides& by = weight.strides();
  const float* from = weight.data<float>();
  std::fill_n(packed, packed_values_numel(s), 0.0f);
  for (int64_t v = 0; v < s.kernel_height; ++v)
    for (int64_t u = 0; u < s.kernel_width; ++u)
      for (int64_t i = 0; i < s.in_channels; ++i, packed += value_pitch(s))
        for (int64_t o = 0; o < s.out_channels; ++o) packed[o] = from[o * by[0] + i * by[1] + v * by[2] + u * by[3]];
}

void few_channels_forward(const FewChannels& few, const PaddedImage& padded, const float* in, const float* weights,
                          const float* bias, int64_t rows, float* out) {
  HWY_DYNAMIC_DISPATCH(forward)(few, padded, in, weights, bias, rows, out);
}

void few_channels_forward_pooled(const FewChannels& few, const PaddedImage& padded, const float* in,
                                 const float* weights, const float* bias, int64_t rows, float* pooled,
                                 uint8_t* position) {
  HWY_DYNAMIC_DISPATCH(forward_pooled)(few, padded, in, weights, bias, rows, pooled, position);
}

void few_channels_weight_gradient(const FewChannels& few, const PaddedImage& padded, const float* in,
                                  const OutputGradient& gradient, float* sums) {
  HWY_DYNAMIC_DISPATCH(weight_gradient)(few, padded, in, gradient, sums);
}

}  // namespace percale::cpu
#endif
