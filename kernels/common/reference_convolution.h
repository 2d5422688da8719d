// Convolution and its gradients as plain loops: f64, which oneDNN lacks, and the emulator's stand-in for cuDNN.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "../../core/convolution_shape.h"
#include "../../core/cpu/threads.h"
#include "../../core/dtype.h"
#include "convert.h"

namespace percale {

/// out = convolution(in, weight) + bias (may be null), then ReLU if asked.
template <class T>
void reference_convolution(const ConvolutionShape& s, const T* in, const T* weight, const T* bias, bool relu, T* out) {
  using Sum = compute_t<T>;
  const int64_t taps = s.kernel_height * s.kernel_width, group_in = s.group_in_channels(),
                group_out = s.group_out_channels();
  std::vector<Sum> by_tap(static_cast<size_t>(s.weight_numel()));  // [tap][in][out]: the inner loop runs over outputs
  for (int64_t o = 0; o < s.out_channels; ++o)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t i = 0; i < group_in; ++i)
        by_tap[(tap * group_in + i) * s.out_channels + o] = static_cast<Sum>(weight[(o * taps + tap) * group_in + i]);
  cpu::parallel_for(s.batch * s.out_height, 1, [&](int64_t row, int64_t) {
    const int64_t n = row / s.out_height, y = row % s.out_height;
    std::vector<Sum> sums(static_cast<size_t>(s.out_channels));
    for (int64_t x = 0; x < s.out_width; ++x) {
      for (int64_t o = 0; o < s.out_channels; ++o) sums[o] = bias ? static_cast<Sum>(bias[o]) : Sum(0);
      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t in_y = convolved_position(y, tap / s.kernel_width, s.stride_height, s.padding_height,
                                                s.dilation_height, s.in_height);
        const int64_t in_x =
            convolved_position(x, tap % s.kernel_width, s.stride_width, s.padding_width, s.dilation_width, s.in_width);
        if (in_y < 0 || in_x < 0) continue;
        const T* pixel = in + ((n * s.in_height + in_y) * s.in_width + in_x) * s.in_channels;
        for (int64_t channel = 0; channel < s.in_channels; ++channel) {
          const Sum value = static_cast<Sum>(pixel[channel]);
          const int64_t first = channel / group_in * group_out;
          const Sum* weights = by_tap.data() + (tap * group_in + channel % group_in) * s.out_channels + first;
          for (int64_t o = 0; o < group_out; ++o) sums[first + o] += value * weights[o];
        }
      }
      T* target = out + (row * s.out_width + x) * s.out_channels;
      for (int64_t o = 0; o < s.out_channels; ++o) target[o] = convert_to<T>(relu && sums[o] <= 0 ? Sum(0) : sums[o]);
    }
  });
}

/// The gradient by the input, from that of the output.
template <class T>
void reference_convolution_input_gradient(const ConvolutionShape& s, const T* gradient, const T* weight,
                                          T* in_gradient) {
  using Sum = compute_t<T>;
  const int64_t taps = s.kernel_height * s.kernel_width, group_in = s.group_in_channels(),
                group_out = s.group_out_channels();
  cpu::parallel_for(s.batch * s.in_height, 1, [&](int64_t row, int64_t) {
    const int64_t n = row / s.in_height, y = row % s.in_height;
    std::vector<Sum> sums(static_cast<size_t>(s.in_channels));
    for (int64_t x = 0; x < s.in_width; ++x) {
      std::fill(sums.begin(), sums.end(), Sum(0));
      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t out_y = convolving_position(y, tap / s.kernel_width, s.stride_height, s.padding_height,
                                                  s.dilation_height, s.out_height);
        const int64_t out_x = convolving_position(x, tap % s.kernel_width, s.stride_width, s.padding_width,
                                                  s.dilation_width, s.out_width);
        if (out_y < 0 || out_x < 0) continue;
        const T* pixel = gradient + ((n * s.out_height + out_y) * s.out_width + out_x) * s.out_channels;
        for (int64_t o = 0; o < s.out_channels; ++o) {
          const Sum value = static_cast<Sum>(pixel[o]);
          const T* weights = weight + (o * taps + tap) * group_in;
          Sum* group = sums.data() + o / group_out * group_in;
          for (int64_t i = 0; i < group_in; ++i) group[i] += value * static_cast<Sum>(weights[i]);
        }
      }
      T* target = in_gradient + (row * s.in_width + x) * s.in_channels;
      for (int64_t i = 0; i < s.in_channels; ++i) target[i] = convert_to<T>(sums[i]);
    }
  });
}

/// The gradient by the weights, from that of the output.
template <class T>
void reference_convolution_weight_gradient(const ConvolutionShape& s, const T* in, const T* gradient,
                                           T* weight_gradient) {
  using Sum = compute_t<T>;
  const int64_t taps = s.kernel_height * s.kernel_width, group_in = s.group_in_channels(),
                group_out = s.group_out_channels();
  constexpr int64_t block = 16;  // output channels a piece
  const int64_t blocks = (s.out_channels + block - 1) / block;
  cpu::parallel_for(taps * blocks, 1, [&](int64_t piece, int64_t) {
    const int64_t tap = piece / blocks, begin = piece % blocks * block, end = std::min(begin + block, s.out_channels);
    std::vector<Sum> sums(static_cast<size_t>(block * group_in), Sum(0));
    for (int64_t row = 0; row < s.batch * s.out_height; ++row) {
      const int64_t n = row / s.out_height;
      const int64_t in_y = convolved_position(row % s.out_height, tap / s.kernel_width, s.stride_height,
                                              s.padding_height, s.dilation_height, s.in_height);
      if (in_y < 0) continue;
      for (int64_t x = 0; x < s.out_width; ++x) {
        const int64_t in_x =
            convolved_position(x, tap % s.kernel_width, s.stride_width, s.padding_width, s.dilation_width, s.in_width);
        if (in_x < 0) continue;
        const T* pixel = in + ((n * s.in_height + in_y) * s.in_width + in_x) * s.in_channels;
        const T* upstream = gradient + (row * s.out_width + x) * s.out_channels;
        for (int64_t o = begin; o < end; ++o) {
          const Sum value = static_cast<Sum>(upstream[o]);
          const T* group = pixel + o / group_out * group_in;
          Sum* sum = sums.data() + (o - begin) * group_in;
          for (int64_t i = 0; i < group_in; ++i) sum[i] += value * static_cast<Sum>(group[i]);
        }
      }
    }
    for (int64_t o = begin; o < end; ++o)
      for (int64_t i = 0; i < group_in; ++i)
        weight_gradient[(o * taps + tap) * group_in + i] = convert_to<T>(sums[(o - begin) * group_in + i]);
  });
}

}  // namespace percale
