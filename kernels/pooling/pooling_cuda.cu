// Pooling on the GPU: a block a row of pixels, a thread 16 bytes of channels of one of them; gradients are gathered.
#include <limits>
#include <type_traits>

#include "../common/convert.h"
#include "../common/data_or_null.h"
#include "../common/device.h"
#include "pooling_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 128;

/// Calls `body(row, column, c)` for this thread's share: rows over blocks, pixels and groups of `width` channels
/// within.
template <int width, class Body>
__device__ void for_each_group(index_t rows, index_t columns, index_t channels, Body body) {
  const auto groups = static_cast<unsigned>(channels / width);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    for (index_t i = threadIdx.x; i < columns * groups; i += threads) {
      index_t column, group;
      if (columns * groups < (index_t{1} << 31)) {
        column = static_cast<unsigned>(i) / groups;
        group = static_cast<unsigned>(i) % groups;
      } else {
        column = i / groups;
        group = i % groups;
      }
      body(row, column, group * width);
    }
  }
}

template <int width, class T, class Position>
__global__ void max_kernel(PoolGeometry g, const T* in, T* out, Position* positions) {
  using C = compute_t<T>;
  for_each_group<width>(g.images * g.rows.out, g.columns.out, g.channels, [&](index_t row, index_t p, index_t c) {
    const index_t image = row / g.rows.out, o = row % g.rows.out, to = g.output_at(image, o, p) + c;
    const index_t r0 = g.rows.first_tap(o), r1 = g.rows.end_tap(o), s0 = g.columns.first_tap(p),
                  s1 = g.columns.end_tap(p);
    C largest[width];
    int where[width];
    for (int k = 0; k < width; ++k) {
      largest[k] = -std::numeric_limits<C>::infinity();
      where[k] = static_cast<int>(r0 * g.columns.kernel + s0);
    }
    for (index_t r = r0; r < r1; ++r) {
      for (index_t s = s0; s < s1; ++s) {
        const auto values = load_vector<width>(
            in + g.input_at(image, g.rows.start(o) + r * g.rows.dilation, g.columns.start(p) + s * g.columns.dilation) +
            c);
        const int tap = static_cast<int>(r * g.columns.kernel + s);
#pragma unroll
        for (int k = 0; k < width; ++k) {
          const C value = static_cast<C>(values[k]);
          if (value > largest[k] || value != value) {
            largest[k] = value;
            where[k] = tap;
          }
        }
      }
    }
    Vector<T, width> result;
    Vector<Position, width> taken;
    for (int k = 0; k < width; ++k) {
      result[k] = percale::convert_to<T>(largest[k]);
      taken[k] = static_cast<Position>(where[k]);
    }
    store_vector(out + to, result);
    if (positions) store_vector(positions + to, taken);
  });
}

template <int width, class T, class Position>
__global__ void max_gradient_kernel(PoolGeometry g, const T* gradient, const Position* positions, T* result) {
  using C = compute_t<T>;
  for_each_group<width>(g.images * g.rows.in, g.columns.in, g.channels, [&](index_t row, index_t j, index_t c) {
    const index_t image = row / g.rows.in, i = row % g.rows.in;
    C sum[width] = {};
    for (index_t o = g.rows.first_output(i); o < g.rows.end_output(i); ++o) {
      const index_t r = g.rows.tap(i, o);
      for (index_t p = g.columns.first_output(j); r >= 0 && p < g.columns.end_output(j); ++p) {
        const index_t s = g.columns.tap(j, p), from = g.output_at(image, o, p) + c;
        if (s < 0) continue;
        const auto taken = load_vector<width>(positions + from);
        const auto upstream = load_vector<width>(gradient + from);
#pragma unroll
        for (int k = 0; k < width; ++k)
          if (static_cast<index_t>(taken[k]) == r * g.columns.kernel + s) sum[k] += static_cast<C>(upstream[k]);
      }
    }
    Vector<T, width> sums;
    for (int k = 0; k < width; ++k) sums[k] = percale::convert_to<T>(sum[k]);
    store_vector(result + g.input_at(image, i, j) + c, sums);
  });
}

template <class T, class Position>
__global__ void max_gather_kernel(PoolGeometry g, const T* in, const Position* positions, T* out) {
  for_each_group<1>(g.images * g.rows.out, g.columns.out, g.channels, [&](index_t row, index_t p, index_t c) {
    const index_t image = row / g.rows.out, o = row % g.rows.out, at = g.output_at(image, o, p) + c;
    const index_t r = static_cast<index_t>(positions[at]) / g.columns.kernel,
                  s = static_cast<index_t>(positions[at]) % g.columns.kernel;
    out[at] =
        in[g.input_at(image, g.rows.start(o) + r * g.rows.dilation, g.columns.start(p) + s * g.columns.dilation) + c];
  });
}

template <int width, class T>
__global__ void mean_kernel(PoolGeometry g, const T* in, T* out) {
  using C = compute_t<T>;
  for_each_group<width>(g.images * g.rows.out, g.columns.out, g.channels, [&](index_t row, index_t p, index_t c) {
    const index_t image = row / g.rows.out, o = row % g.rows.out;
    const index_t top = g.rows.start(o), left = g.columns.start(p);
    C sum[width] = {};
    for (index_t i = top + g.rows.first_tap(o); i < top + g.rows.end_tap(o); ++i) {
      for (index_t j = left + g.columns.first_tap(p); j < left + g.columns.end_tap(p); ++j) {
        const auto values = load_vector<width>(in + g.input_at(image, i, j) + c);
#pragma unroll
        for (int k = 0; k < width; ++k) sum[k] += static_cast<C>(values[k]);
      }
    }
    const C divisor = static_cast<C>(g.divisor(o, p));
    Vector<T, width> means;
    for (int k = 0; k < width; ++k) means[k] = percale::convert_to<T>(sum[k] / divisor);
    store_vector(out + g.output_at(image, o, p) + c, means);
  });
}

template <int width, class T>
__global__ void mean_gradient_kernel(PoolGeometry g, const T* gradient, T* result) {
  using C = compute_t<T>;
  for_each_group<width>(g.images * g.rows.in, g.columns.in, g.channels, [&](index_t row, index_t j, index_t c) {
    const index_t image = row / g.rows.in, i = row % g.rows.in;
    C sum[width] = {};
    for (index_t o = g.rows.first_output(i); o < g.rows.end_output(i); ++o) {
      for (index_t p = g.columns.first_output(j); p < g.columns.end_output(j); ++p) {
        const C divisor = static_cast<C>(g.divisor(o, p));
        const auto upstream = load_vector<width>(gradient + g.output_at(image, o, p) + c);
#pragma unroll
        for (int k = 0; k < width; ++k) sum[k] += static_cast<C>(upstream[k]) / divisor;
      }
    }
    Vector<T, width> sums;
    for (int k = 0; k < width; ++k) sums[k] = percale::convert_to<T>(sum[k]);
    store_vector(result + g.input_at(image, i, j) + c, sums);
  });
}

/// Starts one of `wide_kernel` and `narrow_kernel`: 16 bytes a thread where addresses and channels allow it.
template <class T, class... Parameters, class... Arguments>
void start(void (*wide_kernel)(Parameters...), void (*narrow_kernel)(Parameters...), bool is_wide, index_t rows,
           Arguments... arguments) {
  const auto blocks = std::min<index_t>(rows, 1 << 20);
  launch(is_wide ? wide_kernel : narrow_kernel, blocks, threads, 0, current_stream(), arguments...);
}

/// Calls `body.operator()<T, Position>(width)` for the dtypes of the values and of the positions (u8 if undefined).
template <class Body>
void visit_positions(DType dtype, const Tensor& positions, Body&& body) {
  visit_floating("max_pool2d", dtype, [&]<class T>() {
    if (positions.defined() && positions.dtype() == i32)
      body.template operator()<T, int32_t>();
    else
      body.template operator()<T, uint8_t>();
  });
}

/// Whether 16 bytes of values, and as many positions, can be moved at once.
template <class T, class Position>
bool fits_wide(const PoolGeometry& g, const T* a, const T* b, const Position* positions) {
  return widest_vector<T>(g.channels, a, b) == wide<T> && is_aligned<wide<T>>(positions);
}

}  // namespace

void max_pool(const PoolGeometry& g, const Tensor& in, const Tensor& out, const Tensor& positions) {
  visit_positions(in.dtype(), positions, [&]<class T, class Position>() {
    Position* kept = data_or_null<Position>(positions);
    start<T>(max_kernel<wide<T>, T, Position>, max_kernel<1, T, Position>,
             fits_wide<T>(g, in.data<T>(), out.data<T>(), kept), g.images * g.rows.out, g, in.data<T>(), out.data<T>(),
             kept);
  });
}

void max_pool_gradient(const PoolGeometry& g, const Tensor& gradient, const Tensor& positions, const Tensor& result) {
  visit_positions(result.dtype(), positions, [&]<class T, class Position>() {
    const Position* taken = positions.data<Position>();
    start<T>(max_gradient_kernel<wide<T>, T, Position>, max_gradient_kernel<1, T, Position>,
             fits_wide<T>(g, gradient.data<T>(), result.data<T>(), taken), g.images * g.rows.in, g, gradient.data<T>(),
             taken, result.data<T>());
  });
}

void max_pool_gather(const PoolGeometry& g, const Tensor& in, const Tensor& positions, const Tensor& out) {
  visit_positions(in.dtype(), positions, [&]<class T, class Position>() {
    start<T>(max_gather_kernel<T, Position>, max_gather_kernel<T, Position>, false, g.images * g.rows.out, g,
             in.data<T>(), positions.data<Position>(), out.data<T>());
  });
}

void mean_pool(const PoolGeometry& g, const Tensor& in, const Tensor& out) {
  visit_floating("avg_pool2d", in.dtype(), [&]<class T>() {
    const bool is_wide = widest_vector<T>(g.channels, in.data<T>(), out.data<T>()) == wide<T>;
    start<T>(mean_kernel<wide<T>, T>, mean_kernel<1, T>, is_wide, g.images * g.rows.out, g, in.data<T>(),
             out.data<T>());
  });
}

void mean_pool_gradient(const PoolGeometry& g, const Tensor& gradient, const Tensor& result) {
  visit_floating("avg_pool2d", result.dtype(), [&]<class T>() {
    const bool is_wide = widest_vector<T>(g.channels, gradient.data<T>(), result.data<T>()) == wide<T>;
    start<T>(mean_gradient_kernel<wide<T>, T>, mean_gradient_kernel<1, T>, is_wide, g.images * g.rows.in, g,
             gradient.data<T>(), result.data<T>());
  });
}

}  // namespace percale::cuda
