// Pooling on the CPU: vectors run over channels. f32 and bf16 with Highway; f64 and f16 by plain loops.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/pooling/pooling_cpu.cpp"
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include <cmath>
#include <limits>

#include "../../core/cpu/threads.h"
#include "../common/convert.h"
#include "../common/data_or_null.h"
#include "pooling_twins.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const float* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE hn::Vec<D> load(D d, const bfloat16* from) {
  const hn::RebindToUnsigned<D> bits;
  const auto halves = hn::LoadU(hn::Rebind<uint16_t, D>(), reinterpret_cast<const uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(bits, halves)));
}
template <class D>
HWY_INLINE void store(D d, hn::Vec<D> value, float* to) {
  hn::StoreU(value, d, to);
}
/// Rounds to nearest even; NaN stays NaN.
template <class D>
HWY_INLINE void store(D, hn::Vec<D> value, bfloat16* to) {
  const hn::RebindToUnsigned<D> unsigned_bits;
  const hn::RebindToSigned<D> bits;
  const auto word = hn::BitCast(unsigned_bits, value);
  const auto odd = hn::And(hn::ShiftRight<16>(word), hn::Set(unsigned_bits, 1));
  const auto rounded = word + hn::Set(unsigned_bits, 0x7fff) + odd;
  const auto quiet = hn::Or(word, hn::Set(unsigned_bits, 0x400000));
  const auto kept = hn::IfThenElse(hn::RebindMask(unsigned_bits, hn::IsNaN(value)), quiet, rounded);
  const auto halves = hn::DemoteTo(hn::Rebind<uint16_t, D>(), hn::BitCast(bits, hn::ShiftRight<16>(kept)));
  hn::StoreU(halves, hn::Rebind<uint16_t, D>(), reinterpret_cast<uint16_t*>(to));
}

/// Calls `body(d, c)` for the channels, with whole vectors and then one at a time.
template <class Body>
HWY_INLINE void for_each_vector(int64_t channels, Body&& body) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) body(d, c);
  for (; c < channels; ++c) body(hn::CappedTag<float, 1>(), c);
}

/// The taps of one window that lie inside the image, as steps through memory from the first of them.
struct Window {
  int64_t rows, columns, row_step, column_step;
  int64_t first, kernel_width;  ///< the first tap's position
};

/// `fixed` is the number of rows and of columns where the compiler may know it, else 0.
template <int fixed, class T, class D>
HWY_INLINE void max_window(D d, const Window& window, const T* in, T* out, uint8_t* positions) {
  const hn::RebindToUnsigned<D> whole;
  auto largest = hn::Set(d, -std::numeric_limits<float>::infinity());
  auto where = hn::Set(whole, static_cast<uint32_t>(window.first));
  const int64_t rows = fixed ? fixed : window.rows, columns = fixed ? fixed : window.columns;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t s = 0; s < columns; ++s) {
      const auto value = load(d, in + r * window.row_step + s * window.column_step);
      const auto wins = hn::Or(hn::Gt(value, largest), hn::IsNaN(value));
      largest = hn::IfThenElse(wins, value, largest);
      const auto tap = hn::Set(whole, static_cast<uint32_t>(window.first + r * window.kernel_width + s));
      where = hn::IfThenElse(hn::RebindMask(whole, wins), tap, where);
    }
  }
  store(d, largest, out);
  if (positions) hn::StoreU(hn::U8FromU32(where), hn::Rebind<uint8_t, D>(), positions);
}

template <class T>
void max_rows(const PoolGeometry& g, const T* in, T* out, uint8_t* positions, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / g.rows.out, o = row % g.rows.out, r0 = g.rows.first_tap(o);
    Window window{g.rows.end_tap(o) - r0,          0, g.rows.dilation * g.columns.in * g.channels,
                  g.columns.dilation * g.channels, 0, g.columns.kernel};
    for (int64_t column = 0; column < g.columns.out; ++column) {
      const int64_t s0 = g.columns.first_tap(column), to = g.output_at(image, o, column);
      window.columns = g.columns.end_tap(column) - s0;
      window.first = r0 * window.kernel_width + s0;
      const T* from = in + g.input_at(image, g.rows.start(o) + r0 * g.rows.dilation,
                                      g.columns.start(column) + s0 * g.columns.dilation);
      const bool two_by_two = window.rows == 2 && window.columns == 2;
      for_each_vector(g.channels, [&](auto d, int64_t c) HWY_ATTR {
        uint8_t* position = positions ? positions + to + c : nullptr;
        if (two_by_two)
          max_window<2>(d, window, from + c, out + to + c, position);
        else
          max_window<0>(d, window, from + c, out + to + c, position);
      });
    }
  }
}

template <class D>
HWY_INLINE auto load_positions(D, const uint8_t* from) {
  return hn::PromoteTo(hn::RebindToUnsigned<D>(), hn::LoadU(hn::Rebind<uint8_t, D>(), from));
}

/// `value` where the position is `tap`, else 0.
template <class D>
HWY_INLINE hn::Vec<D> where_tap(D d, hn::Vec<hn::RebindToUnsigned<D>> positions, int64_t tap, hn::Vec<D> value) {
  const hn::RebindToUnsigned<D> whole;
  return hn::IfThenElseZero(hn::RebindMask(d, hn::Eq(positions, hn::Set(whole, static_cast<uint32_t>(tap)))), value);
}

/// Rows of the input: each element sums the gradients of the windows that took it.
template <class T>
void max_gradient_rows(const PoolGeometry& g, const T* gradient, const uint8_t* positions, T* result, int64_t begin,
                       int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / g.rows.in, i = row % g.rows.in;
    for (int64_t j = 0; j < g.columns.in; ++j) {
      T* to = result + g.input_at(image, i, j);
      for_each_vector(g.channels, [&](auto d, int64_t c) HWY_ATTR {
        auto sum = hn::Zero(d);
        for (int64_t o = g.rows.first_output(i); o < g.rows.end_output(i); ++o) {
          const int64_t r = g.rows.tap(i, o);
          for (int64_t p = g.columns.first_output(j); r >= 0 && p < g.columns.end_output(j); ++p) {
            const int64_t s = g.columns.tap(j, p), from = g.output_at(image, o, p) + c;
            if (s < 0) continue;
            sum = sum +
                  where_tap(d, load_positions(d, positions + from), r * g.columns.kernel + s, load(d, gradient + from));
          }
        }
        store(d, sum, to + c);
      });
    }
  }
}

/// As above where windows stand side by side: rows of the output, each with the input rows that are its own.
template <class T>
void max_gradient_tiles(const PoolGeometry& g, const T* gradient, const uint8_t* positions, T* result, int64_t begin,
                        int64_t end) {
  const int64_t in_row = g.columns.in * g.channels;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / g.rows.out, o = row % g.rows.out, taken = g.rows.end_tap(o), top = o * g.rows.kernel;
    const int64_t tiled = std::min(g.columns.out * g.columns.kernel, g.columns.in);
    for (int64_t p = 0; p < g.columns.out; ++p) {
      const int64_t from = g.output_at(image, o, p), columns = g.columns.end_tap(p);
      T* to = result + g.input_at(image, top, p * g.columns.kernel);
      for_each_vector(g.channels, [&](auto d, int64_t c) HWY_ATTR {
        const auto zero = hn::Zero(d), upstream = load(d, gradient + from + c);  // a sum from zero: -0 becomes 0
        const auto taken_tap = load_positions(d, positions + from + c);
        for (int64_t r = 0; r < taken; ++r)
          for (int64_t s = 0; s < columns; ++s)
            store(d, zero + where_tap(d, taken_tap, r * g.columns.kernel + s, upstream),
                  to + r * in_row + s * g.channels + c);
      });
    }
    const bool last = o + 1 == g.rows.out;
    for (int64_t r = 0; r < (last ? g.rows.in - top : taken); ++r) {
      const int64_t done = r < taken ? tiled : 0;  // columns and rows that no window reaches
      std::fill_n(result + g.input_at(image, top + r, done), (g.columns.in - done) * g.channels, T(0.0f));
    }
  }
}

template <class T>
void mean_rows(const PoolGeometry& g, const T* in, T* out, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / g.rows.out, o = row % g.rows.out;
    const int64_t top = g.rows.start(o) + g.rows.first_tap(o), bottom = g.rows.start(o) + g.rows.end_tap(o);
    for (int64_t p = 0; p < g.columns.out; ++p) {
      const int64_t left = g.columns.start(p) + g.columns.first_tap(p),
                    right = g.columns.start(p) + g.columns.end_tap(p);
      const auto divisor = static_cast<float>(g.divisor(o, p));
      T* to = out + g.output_at(image, o, p);
      for_each_vector(g.channels, [&](auto d, int64_t c) HWY_ATTR {
        auto sum = hn::Zero(d);
        for (int64_t i = top; i < bottom; ++i) {
          const T* from = in + g.input_at(image, i, left) + c;
          for (int64_t j = left; j < right; ++j, from += g.channels) sum = sum + load(d, from);
        }
        store(d, sum / hn::Set(d, divisor), to + c);
      });
    }
  }
}

template <class T>
void mean_gradient_rows(const PoolGeometry& g, const T* gradient, T* result, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / g.rows.in, i = row % g.rows.in, top = g.rows.first_output(i),
                  bottom = g.rows.end_output(i);
    for (int64_t j = 0; j < g.columns.in; ++j) {
      const int64_t left = g.columns.first_output(j), right = g.columns.end_output(j);
      T* to = result + g.input_at(image, i, j);
      for_each_vector(g.channels, [&](auto d, int64_t c) HWY_ATTR {
        auto sum = hn::Zero(d);
        for (int64_t o = top; o < bottom; ++o) {
          for (int64_t p = left; p < right; ++p) {
            const auto divisor = hn::Set(d, static_cast<float>(g.divisor(o, p)));
            sum = sum + load(d, gradient + g.output_at(image, o, p) + c) / divisor;
          }
        }
        store(d, sum, to + c);
      });
    }
  }
}

#define PERCALE_POOL(name, T)                                                                                        \
  void max_rows_##name(const PoolGeometry& g, const T* in, T* out, uint8_t* positions, int64_t begin, int64_t end) { \
    max_rows(g, in, out, positions, begin, end);                                                                     \
  }                                                                                                                  \
  void max_gradient_##name(const PoolGeometry& g, const T* gradient, const uint8_t* positions, T* result,            \
                           int64_t begin, int64_t end) {                                                             \
    if (g.is_tiling())                                                                                               \
      max_gradient_tiles(g, gradient, positions, result, begin, end);                                                \
    else                                                                                                             \
      max_gradient_rows(g, gradient, positions, result, begin, end);                                                 \
  }                                                                                                                  \
  void mean_rows_##name(const PoolGeometry& g, const T* in, T* out, int64_t begin, int64_t end) {                    \
    mean_rows(g, in, out, begin, end);                                                                               \
  }                                                                                                                  \
  void mean_gradient_##name(const PoolGeometry& g, const T* gradient, T* result, int64_t begin, int64_t end) {       \
    mean_gradient_rows(g, gradient, result, begin, end);                                                             \
  }
PERCALE_POOL(f32, float)
PERCALE_POOL(bf16, bfloat16)
#undef PERCALE_POOL

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(max_rows_f32);
HWY_EXPORT(max_rows_bf16);
HWY_EXPORT(max_gradient_f32);
HWY_EXPORT(max_gradient_bf16);
HWY_EXPORT(mean_rows_f32);
HWY_EXPORT(mean_rows_bf16);
HWY_EXPORT(mean_gradient_f32);
HWY_EXPORT(mean_gradient_bf16);

namespace {

/// Cuts `rows` rows of `width` elements, each read or written with `taps` neighbours, into pieces of equal size.
template <class Body>
void for_each_rows(int64_t rows, int64_t width, int64_t taps, Body&& body) {
  const int64_t work = std::max<int64_t>(width * taps, 1);
  parallel_for(rows, std::max<int64_t>(65536 / work, 1), body);
}

bool has_vectors(DType dtype) { return dtype == f32 || dtype == bf16; }

/// Calls `body.operator()<T, Position>()` for the positions' type.
template <class Body>
void visit_positions(DType dtype, DType positions, Body&& body) {
  visit_floating("max_pool2d", dtype, [&]<class T>() {
    if (positions == u8)
      body.template operator()<T, uint8_t>();
    else
      body.template operator()<T, int32_t>();
  });
}

/// Calls `body(o, r)` for the outputs and taps along one axis that reach input `i`.
template <class Body>
void for_each_reach(const PoolAxis& axis, int64_t i, Body&& body) {
  for (int64_t o = axis.first_output(i); o < axis.end_output(i); ++o)
    if (const int64_t tap = axis.tap(i, o); tap >= 0) body(o, tap);
}

template <class T, class Position>
void plain_max(const PoolGeometry& g, const T* in, T* out, Position* positions, int64_t row, int64_t column,
               int64_t c) {
  using C = compute_t<T>;
  const int64_t image = row / g.rows.out, o = row % g.rows.out, to = g.output_at(image, o, column) + c;
  C largest = -std::numeric_limits<C>::infinity();
  int64_t where = g.rows.first_tap(o) * g.columns.kernel + g.columns.first_tap(column);
  for (int64_t r = g.rows.first_tap(o); r < g.rows.end_tap(o); ++r) {
    for (int64_t s = g.columns.first_tap(column); s < g.columns.end_tap(column); ++s) {
      const auto value = static_cast<C>(in[g.input_at(image, g.rows.start(o) + r * g.rows.dilation,
                                                      g.columns.start(column) + s * g.columns.dilation) +
                                           c]);
      if (!(value > largest) && !std::isnan(value)) continue;
      largest = value;
      where = r * g.columns.kernel + s;
    }
  }
  out[to] = convert_to<T>(largest);
  if (positions) positions[to] = static_cast<Position>(where);
}

template <class T, class Position>
T plain_max_gradient(const PoolGeometry& g, const T* gradient, const Position* positions, int64_t row, int64_t j,
                     int64_t c) {
  compute_t<T> sum = 0;
  for_each_reach(g.rows, row % g.rows.in, [&](int64_t o, int64_t r) {
    for_each_reach(g.columns, j, [&](int64_t p, int64_t s) {
      const int64_t from = g.output_at(row / g.rows.in, o, p) + c;
      if (positions[from] == r * g.columns.kernel + s) sum += static_cast<compute_t<T>>(gradient[from]);
    });
  });
  return convert_to<T>(sum);
}

template <class T>
T plain_mean(const PoolGeometry& g, const T* in, int64_t row, int64_t p, int64_t c) {
  compute_t<T> sum = 0;
  const int64_t o = row % g.rows.out;
  for (int64_t r = g.rows.first_tap(o); r < g.rows.end_tap(o); ++r)
    for (int64_t s = g.columns.first_tap(p); s < g.columns.end_tap(p); ++s)
      sum +=
          static_cast<compute_t<T>>(in[g.input_at(row / g.rows.out, g.rows.start(o) + r, g.columns.start(p) + s) + c]);
  return convert_to<T>(sum / static_cast<compute_t<T>>(g.divisor(o, p)));
}

template <class T>
T plain_mean_gradient(const PoolGeometry& g, const T* gradient, int64_t row, int64_t j, int64_t c) {
  compute_t<T> sum = 0;
  for_each_reach(g.rows, row % g.rows.in, [&](int64_t o, int64_t) {
    for_each_reach(g.columns, j, [&](int64_t p, int64_t) {
      const auto value = static_cast<compute_t<T>>(gradient[g.output_at(row / g.rows.in, o, p) + c]);
      sum += value / static_cast<compute_t<T>>(g.divisor(o, p));
    });
  });
  return convert_to<T>(sum);
}

/// Calls `body(row, column, c)` for every element of rows of `columns` pixels.
template <class Body>
void for_each_element(int64_t rows, int64_t columns, int64_t channels, int64_t taps, Body&& body) {
  for_each_rows(rows, columns * channels, taps, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t column = 0; column < columns; ++column)
        for (int64_t c = 0; c < channels; ++c) body(row, column, c);
  });
}

}  // namespace

void max_pool(const PoolGeometry& g, const Tensor& in, const Tensor& out, const Tensor& positions) {
  const int64_t rows = g.images * g.rows.out, width = g.columns.out * g.channels;
  const DType kind = positions.defined() ? positions.dtype() : u8;
  auto run = [&](auto max_rows, const auto* from, auto* to) {
    uint8_t* kept = data_or_null<uint8_t>(positions);
    for_each_rows(rows, width, g.taps(), [&](int64_t begin, int64_t end) { max_rows(g, from, to, kept, begin, end); });
  };
  if (kind == u8 && in.dtype() == f32)
    return run(HWY_DYNAMIC_DISPATCH(max_rows_f32), in.data<float>(), out.data<float>());
  if (kind == u8 && in.dtype() == bf16)
    return run(HWY_DYNAMIC_DISPATCH(max_rows_bf16), in.data<bfloat16>(), out.data<bfloat16>());
  visit_positions(in.dtype(), kind, [&]<class T, class Position>() {
    Position* kept = data_or_null<Position>(positions);
    const T* from = in.data<T>();
    T* to = out.data<T>();
    for_each_element(rows, g.columns.out, g.channels, g.taps(),
                     [&](int64_t row, int64_t column, int64_t c) { plain_max(g, from, to, kept, row, column, c); });
  });
}

void max_pool_gradient(const PoolGeometry& g, const Tensor& gradient, const Tensor& positions, const Tensor& result) {
  const bool tiles = g.is_tiling();
  auto run = [&](auto max_gradient, const auto* from, auto* to) {
    const uint8_t* taken = positions.data<uint8_t>();
    for_each_rows(g.images * (tiles ? g.rows.out : g.rows.in), g.columns.in * g.channels, tiles ? g.rows.kernel : 2,
                  [&](int64_t begin, int64_t end) { max_gradient(g, from, taken, to, begin, end); });
  };
  if (has_vectors(result.dtype()) && positions.dtype() == u8) {
    if (result.dtype() == f32)
      return run(HWY_DYNAMIC_DISPATCH(max_gradient_f32), gradient.data<float>(), result.data<float>());
    return run(HWY_DYNAMIC_DISPATCH(max_gradient_bf16), gradient.data<bfloat16>(), result.data<bfloat16>());
  }
  visit_positions(result.dtype(), positions.dtype(), [&]<class T, class Position>() {
    const Position* taken = positions.data<Position>();
    const T* from = gradient.data<T>();
    T* to = result.data<T>();
    for_each_element(g.images * g.rows.in, g.columns.in, g.channels, 4, [&](int64_t row, int64_t j, int64_t c) {
      to[(row * g.columns.in + j) * g.channels + c] = plain_max_gradient(g, from, taken, row, j, c);
    });
  });
}

void max_pool_gather(const PoolGeometry& g, const Tensor& in, const Tensor& positions, const Tensor& out) {
  visit_positions(in.dtype(), positions.dtype(), [&]<class T, class Position>() {
    const Position* taken = positions.data<Position>();
    const T* from = in.data<T>();
    T* to = out.data<T>();
    for_each_element(g.images * g.rows.out, g.columns.out, g.channels, 1, [&](int64_t row, int64_t p, int64_t c) {
      const int64_t at = (row * g.columns.out + p) * g.channels + c, o = row % g.rows.out;
      const int64_t r = taken[at] / g.columns.kernel, s = taken[at] % g.columns.kernel;
      to[at] = from[g.input_at(row / g.rows.out, g.rows.start(o) + r * g.rows.dilation,
                               g.columns.start(p) + s * g.columns.dilation) +
                    c];
    });
  });
}

void mean_pool(const PoolGeometry& g, const Tensor& in, const Tensor& out) {
  const int64_t rows = g.images * g.rows.out;
  const int64_t taps = g.rows.adaptive ? divide_up(g.rows.in * g.columns.in, g.rows.out * g.columns.out) : g.taps();
  auto run = [&](auto mean_rows, const auto* from, auto* to) {
    for_each_rows(rows, g.columns.out * g.channels, taps,
                  [&](int64_t begin, int64_t end) { mean_rows(g, from, to, begin, end); });
  };
  if (in.dtype() == f32) return run(HWY_DYNAMIC_DISPATCH(mean_rows_f32), in.data<float>(), out.data<float>());
  if (in.dtype() == bf16) return run(HWY_DYNAMIC_DISPATCH(mean_rows_bf16), in.data<bfloat16>(), out.data<bfloat16>());
  visit_floating("avg_pool2d", in.dtype(), [&]<class T>() {
    const T* from = in.data<T>();
    T* to = out.data<T>();
    for_each_element(rows, g.columns.out, g.channels, taps, [&](int64_t row, int64_t p, int64_t c) {
      to[(row * g.columns.out + p) * g.channels + c] = plain_mean(g, from, row, p, c);
    });
  });
}

void mean_pool_gradient(const PoolGeometry& g, const Tensor& gradient, const Tensor& result) {
  const int64_t rows = g.images * g.rows.in;
  auto run = [&](auto mean_gradient, const auto* from, auto* to) {
    for_each_rows(rows, g.columns.in * g.channels, 2,
                  [&](int64_t begin, int64_t end) { mean_gradient(g, from, to, begin, end); });
  };
  if (result.dtype() == f32)
    return run(HWY_DYNAMIC_DISPATCH(mean_gradient_f32), gradient.data<float>(), result.data<float>());
  if (result.dtype() == bf16)
    return run(HWY_DYNAMIC_DISPATCH(mean_gradient_bf16), gradient.data<bfloat16>(), result.data<bfloat16>());
  visit_floating("avg_pool2d", result.dtype(), [&]<class T>() {
    const T* from = gradient.data<T>();
    T* to = result.data<T>();
    for_each_element(rows, g.columns.in, g.channels, 2, [&](int64_t row, int64_t j, int64_t c) {
      to[(row * g.columns.in + j) * g.channels + c] = plain_mean_gradient(g, from, row, j, c);
    });
  });
}

}  // namespace percale::cpu
#endif
