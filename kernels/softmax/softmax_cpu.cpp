#include <algorithm>
#include <cmath>

#include "../../core/cpu/threads.h"
#include "softmax_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/softmax/softmax_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "../common/vector_math-inl.h"
#include "../common/vector_reduce-inl.h"

#ifndef PERCALE_SOFTMAX_STRIP
#define PERCALE_SOFTMAX_STRIP
namespace percale::cpu {
constexpr int64_t strip = 256;  // neighbouring rows that are worked on together
}
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void softmax_row(const float* x, float* y, int64_t length, bool logarithm) {
  const auto largest = static_cast<float>(
      simd::map_reduce<simd::Largest, 1>(&x, nullptr, length, [](auto, auto a, auto) HWY_ATTR { return a; }));
  const double sum = simd::map_reduce<simd::Sum, 1>(
      &x, logarithm ? nullptr : y, length,
      [=](auto t, auto a, auto) HWY_ATTR { return simd::exp(t, hn::Sub(a, hn::Set(t, largest))); });
  const auto count = static_cast<size_t>(length);
  if (logarithm) {
    const auto shift = static_cast<float>(std::log(sum));
    for_each_vector<1>(&x, y, count, [=](auto t, auto a, auto, auto, auto) HWY_ATTR {
      return hn::Sub(hn::Sub(a, hn::Set(t, largest)), hn::Set(t, shift));
    });
  } else {
    const float* from = y;
    const auto factor = static_cast<float>(1 / sum);
    for_each_vector<1>(&from, y, count,
                       [=](auto t, auto a, auto, auto, auto) HWY_ATTR { return hn::Mul(a, hn::Set(t, factor)); });
  }
}

void gradient_row(const float* gradient, const float* y, float* result, int64_t length, bool logarithm) {
  const float* in[] = {gradient, y};
  const auto count = static_cast<size_t>(length);
  if (logarithm) {
    const auto sum = static_cast<float>(
        simd::map_reduce<simd::Sum, 1>(in, nullptr, length, [](auto, auto g, auto) HWY_ATTR { return g; }));
    for_each_vector<2>(in, result, count, [=](auto t, auto g, auto own, auto, auto) HWY_ATTR {
      return hn::NegMulAdd(simd::exp(t, own), hn::Set(t, sum), g);
    });
  } else {
    const auto sum = static_cast<float>(simd::map_reduce<simd::Sum, 2>(
        in, nullptr, length, [](auto, auto g, auto own) HWY_ATTR { return hn::Mul(g, own); }));
    for_each_vector<2>(in, result, count, [=](auto t, auto g, auto own, auto, auto) HWY_ATTR {
      return hn::Mul(own, hn::Sub(g, hn::Set(t, sum)));
    });
  }
}

/// `count` neighbouring rows whose elements are `inner` apart: all rows advance together, as memory lies.
void softmax_columns(const float* x, float* y, int64_t count, int64_t length, int64_t inner, bool logarithm) {
  HWY_ALIGN float largest[strip], sum[strip];
  std::copy_n(x, count, largest);
  std::fill_n(sum, count, 0.0f);
  for (int64_t k = 1; k < length; ++k) {
    simd::for_lanes(count, [&](auto t, int64_t i) HWY_ATTR {
      hn::StoreU(simd::Largest::of_vectors(hn::LoadU(t, largest + i), hn::LoadU(t, x + k * inner + i)), t, largest + i);
    });
  }
  for (int64_t k = 0; k < length; ++k) {
    simd::for_lanes(count, [&](auto t, int64_t i) HWY_ATTR {
      const auto value = simd::exp(t, hn::Sub(hn::LoadU(t, x + k * inner + i), hn::LoadU(t, largest + i)));
      if (!logarithm) hn::StoreU(value, t, y + k * inner + i);
      hn::StoreU(hn::Add(hn::LoadU(t, sum + i), value), t, sum + i);
    });
  }
  simd::for_lanes(count, [&](auto t, int64_t i) HWY_ATTR {
    const auto total = hn::LoadU(t, sum + i);
    hn::StoreU(logarithm ? simd::log(t, total) : hn::Div(hn::Set(t, 1.0f), total), t, sum + i);
  });
  for (int64_t k = 0; k < length; ++k) {
    simd::for_lanes(count, [&](auto t, int64_t i) HWY_ATTR {
      const auto last = hn::LoadU(t, sum + i);
      const auto shifted = hn::Sub(hn::LoadU(t, x + k * inner + i), hn::LoadU(t, largest + i));
      const auto value = logarithm ? hn::Sub(shifted, last) : hn::Mul(hn::LoadU(t, y + k * inner + i), last);
      hn::StoreU(value, t, y + k * inner + i);
    });
  }
}

void gradient_columns(const float* gradient, const float* y, float* result, int64_t count, int64_t length,
                      int64_t inner, bool logarithm) {
  HWY_ALIGN float sum[strip];
  std::fill_n(sum, count, 0.0f);
  for (int64_t k = 0; k < length; ++k) {
    simd::for_lanes(count, [&](auto t, int64_t i) HWY_ATTR {
      const auto g = hn::LoadU(t, gradient + k * inner + i), total = hn::LoadU(t, sum + i);
      hn::StoreU(logarithm ? hn::Add(total, g) : hn::MulAdd(g, hn::LoadU(t, y + k * inner + i), total), t, sum + i);
    });
  }
  for (int64_t k = 0; k < length; ++k) {
    simd::for_lanes(count, [&](auto t, int64_t i) HWY_ATTR {
      const auto g = hn::LoadU(t, gradient + k * inner + i), own = hn::LoadU(t, y + k * inner + i),
                 total = hn::LoadU(t, sum + i);
      const auto value = logarithm ? hn::NegMulAdd(simd::exp(t, own), total, g) : hn::Mul(own, hn::Sub(g, total));
      hn::StoreU(value, t, result + k * inner + i);
    });
  }
}

/// `count` rows that follow each other.
void softmax_rows(const float* x, float* y, int64_t count, int64_t length, bool logarithm) {
  if (length > simd::tile_height) {
    for (int64_t i = 0; i < count; ++i) softmax_row(x + i * length, y + i * length, length, logarithm);
    return;
  }
  HWY_ALIGN float in[simd::tile_width * simd::tile_height], out[simd::tile_width * simd::tile_height];
  for (int64_t i = 0; i < count; i += simd::tile_width) {
    const int64_t some = std::min(simd::tile_width, count - i);
    simd::stand_up(x + i * length, some, length, in);
    softmax_columns(in, out, simd::tile_width, length, simd::tile_width, logarithm);
    simd::lay_down(out, some, length, y + i * length);
  }
}

void gradient_rows(const float* gradient, const float* y, float* result, int64_t count, int64_t length,
                   bool logarithm) {
  if (length > simd::tile_height) {
    for (int64_t i = 0; i < count; ++i)
      gradient_row(gradient + i * length, y + i * length, result + i * length, length, logarithm);
    return;
  }
  constexpr int64_t area = simd::tile_width * simd::tile_height;
  HWY_ALIGN float upstream[area], own[area], out[area];
  for (int64_t i = 0; i < count; i += simd::tile_width) {
    const int64_t some = std::min(simd::tile_width, count - i);
    simd::stand_up(gradient + i * length, some, length, upstream);
    simd::stand_up(y + i * length, some, length, own);
    gradient_columns(upstream, own, out, simd::tile_width, length, simd::tile_width, logarithm);
    simd::lay_down(out, some, length, result + i * length);
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(softmax_rows);
HWY_EXPORT(gradient_rows);
HWY_EXPORT(softmax_columns);
HWY_EXPORT(gradient_columns);

namespace {

constexpr int64_t grain = 16384;  // elements a piece of work

void softmax_doubles(const double* x, double* y, int64_t length, int64_t step, bool logarithm) {
  double largest = x[0], sum = 0;
  for (int64_t k = 1; k < length; ++k)
    if (x[k * step] > largest || x[k * step] != x[k * step]) largest = x[k * step];
  for (int64_t k = 0; k < length; ++k) sum += y[k * step] = std::exp(x[k * step] - largest);
  const double shift = std::log(sum);
  for (int64_t k = 0; k < length; ++k) y[k * step] = logarithm ? x[k * step] - largest - shift : y[k * step] / sum;
}

void gradient_doubles(const double* gradient, const double* y, double* result, int64_t length, int64_t step,
                      bool logarithm) {
  double sum = 0;
  for (int64_t k = 0; k < length; ++k) sum += logarithm ? gradient[k * step] : gradient[k * step] * y[k * step];
  for (int64_t k = 0; k < length; ++k) {
    const double own = y[k * step], g = gradient[k * step];
    result[k * step] = logarithm ? g - std::exp(own) * sum : own * (g - sum);
  }
}

int64_t rows_of_piece(Rows rows) { return std::max<int64_t>(grain / rows.length, 1); }

/// Calls `body(offset)` with where each row of `rows` begins.
template <class Body>
void for_each_line(Rows rows, Body body) {
  parallel_for(rows.outer * rows.inner, rows_of_piece(rows), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i / rows.inner * rows.inner * rows.length + i % rows.inner);
  });
}

/// Calls `body(offset, count)` for strips of neighbouring rows.
template <class Body>
void for_each_strip(Rows rows, Body body) {
  const int64_t strips = (rows.inner + strip - 1) / strip, width = std::min(strip, rows.inner);
  parallel_for(rows.outer * strips, std::max<int64_t>(grain / (rows.length * width), 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t first = i % strips * strip;
                   body(i / strips * rows.inner * rows.length + first, std::min(strip, rows.inner - first));
                 }
               });
}

}  // namespace

void softmax(const Tensor& x, const Tensor& y, Rows rows, bool logarithm) {
  if (x.dtype() == f64) {
    const auto* from = x.data<double>();
    auto* to = y.data<double>();
    for_each_line(rows, [&](int64_t at) { softmax_doubles(from + at, to + at, rows.length, rows.inner, logarithm); });
    return;
  }
  const float* from = x.data<float>();
  float* to = y.data<float>();
  if (rows.inner == 1) {
    const auto some = HWY_DYNAMIC_DISPATCH(softmax_rows);
    parallel_for(rows.outer, rows_of_piece(rows), [&](int64_t begin, int64_t end) {
      some(from + begin * rows.length, to + begin * rows.length, end - begin, rows.length, logarithm);
    });
  } else {
    const auto columns = HWY_DYNAMIC_DISPATCH(softmax_columns);
    for_each_strip(rows, [&](int64_t at, int64_t count) {
      columns(from + at, to + at, count, rows.length, rows.inner, logarithm);
    });
  }
}

void softmax_gradient(const Tensor& gradient, const Tensor& y, const Tensor& result, Rows rows, bool logarithm) {
  if (y.dtype() == f64) {
    const auto *upstream = gradient.data<double>(), *own = y.data<double>();
    auto* to = result.data<double>();
    for_each_line(rows, [&](int64_t at) {
      gradient_doubles(upstream + at, own + at, to + at, rows.length, rows.inner, logarithm);
    });
    return;
  }
  const float *upstream = gradient.data<float>(), *own = y.data<float>();
  float* to = result.data<float>();
  if (rows.inner == 1) {
    const auto some = HWY_DYNAMIC_DISPATCH(gradient_rows);
    parallel_for(rows.outer, rows_of_piece(rows), [&](int64_t begin, int64_t end) {
      const int64_t at = begin * rows.length;
      some(upstream + at, own + at, to + at, end - begin, rows.length, logarithm);
    });
  } else {
    const auto columns = HWY_DYNAMIC_DISPATCH(gradient_columns);
    for_each_strip(rows, [&](int64_t at, int64_t count) {
      columns(upstream + at, own + at, to + at, count, rows.length, rows.inner, logarithm);
    });
  }
}

}  // namespace percale::cpu
#endif
