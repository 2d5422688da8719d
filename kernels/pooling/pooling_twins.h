// Where windows lie, for both twins, and what the twins implement: images with the channels innermost, dense.
#pragma once

#include <algorithm>

#include "../../core/half.h"
#include "../../core/tensor.h"

namespace percale {

PERCALE_HOST_DEVICE inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Windows along rows or columns. Tap t of output o reads input start(o) + t * dilation.
struct PoolAxis {
  int64_t in, out, kernel, stride, padding, dilation;
  bool adaptive, count_padding;

  PERCALE_HOST_DEVICE int64_t start(int64_t o) const { return adaptive ? o * in / out : o * stride - padding; }
  /// The taps that lie inside: first_tap to end_tap - 1.
  PERCALE_HOST_DEVICE int64_t first_tap(int64_t o) const {
    const int64_t outside = -start(o);
    return outside > 0 ? divide_up(outside, dilation) : 0;
  }
  PERCALE_HOST_DEVICE int64_t end_tap(int64_t o) const {
    if (adaptive) return divide_up((o + 1) * in, out) - start(o);
    const int64_t inside = dilation == 1 ? in - start(o) : divide_up(in - start(o), dilation);
    return inside < kernel ? inside : kernel;
  }
  /// The window's share in what a mean is divided by.
  PERCALE_HOST_DEVICE int64_t extent(int64_t o) const {
    if (adaptive || !count_padding) return end_tap(o) - first_tap(o);
    const int64_t inside = in + padding - start(o);
    return inside < kernel ? inside : kernel;
  }
  /// The outputs whose windows may reach input i: first_output to end_output - 1.
  PERCALE_HOST_DEVICE int64_t first_output(int64_t i) const {
    if (adaptive) return i * out / in;
    const int64_t beyond = i + padding - (kernel - 1) * dilation;
    return beyond > 0 ? divide_up(beyond, stride) : 0;
  }
  PERCALE_HOST_DEVICE int64_t end_output(int64_t i) const {
    if (adaptive) return divide_up((i + 1) * out, in);
    const int64_t end = (i + padding) / stride + 1;
    return end < out ? end : out;
  }
  /// The tap with which output o reads input i, or -1.
  PERCALE_HOST_DEVICE int64_t tap(int64_t i, int64_t o) const {
    const int64_t distance = i - start(o);
    if (dilation == 1) return distance;
    return distance % dilation == 0 ? distance / dilation : -1;
  }
};

struct PoolGeometry {
  int64_t images, channels;
  PoolAxis rows, columns;
  int64_t divisor_override;

  int64_t taps() const { return rows.kernel * columns.kernel; }
  /// Whether windows stand side by side: each input belongs to one of them at most.
  bool is_tiling() const {
    auto tiles = [](const PoolAxis& axis) {
      return axis.stride == axis.kernel && axis.padding == 0 && axis.dilation == 1;
    };
    return tiles(rows) && tiles(columns);
  }
  Shape input_shape() const { return {images, channels, rows.in, columns.in}; }
  Shape output_shape() const { return {images, channels, rows.out, columns.out}; }
  PERCALE_HOST_DEVICE int64_t divisor(int64_t row, int64_t column) const {
    return divisor_override ? divisor_override : rows.extent(row) * columns.extent(column);
  }
  PERCALE_HOST_DEVICE int64_t input_at(int64_t image, int64_t row, int64_t column) const {
    return ((image * rows.in + row) * columns.in + column) * channels;
  }
  PERCALE_HOST_DEVICE int64_t output_at(int64_t image, int64_t row, int64_t column) const {
    return ((image * rows.out + row) * columns.out + column) * channels;
  }
};

/// Each output's gradient goes to the input it was taken from. Differentiable.
Tensor max_pool_gradient(const PoolGeometry& geometry, const Tensor& upstream, const Tensor& positions);

/// Positions are taps, row * kernel width + column: u8 where the window has at most 256 of them, else i32.
namespace cpu {
/// `positions` may be undefined.
void max_pool(const PoolGeometry& geometry, const Tensor& in, const Tensor& out, const Tensor& positions);
void max_pool_gradient(const PoolGeometry& geometry, const Tensor& gradient, const Tensor& positions,
                       const Tensor& result);
/// The elements that the positions name: the gradient of max_pool_gradient.
void max_pool_gather(const PoolGeometry& geometry, const Tensor& in, const Tensor& positions, const Tensor& out);
void mean_pool(const PoolGeometry& geometry, const Tensor& in, const Tensor& out);
void mean_pool_gradient(const PoolGeometry& geometry, const Tensor& gradient, const Tensor& result);
}  // namespace cpu

namespace cuda {
void max_pool(const PoolGeometry& geometry, const Tensor& in, const Tensor& out, const Tensor& positions);
void max_pool_gradient(const PoolGeometry& geometry, const Tensor& gradient, const Tensor& positions,
                       const Tensor& result);
void max_pool_gather(const PoolGeometry& geometry, const Tensor& in, const Tensor& positions, const Tensor& out);
void mean_pool(const PoolGeometry& geometry, const Tensor& in, const Tensor& out);
void mean_pool_gradient(const PoolGeometry& geometry, const Tensor& gradient, const Tensor& result);
}  // namespace cuda

}  // namespace percale
