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
    const auto sum = static_cast<float>(
        simd::map_reduce<simd::Sum, 2>(in, nullptr, length, [](auto, auto g, auto own) HWY_ATTR { return hn::Mul(g, own); }));
    for_each_vector<2>(in, result, count, [=](auto t, auto g, auto own, auto, auto) HWY_ATTR {
      return hn::Mul(own, hn::Sub(g, hn::Set(t, sum)));
    });
  }
}

/// As many neighbouring rows at once as a vector of `t` has lanes; the elements of a row are `inner` apart.
template <class D>
void softmax_lanes(D t, const float* x, float* y, int64_t length, int64_t inner, bool logarithm) {
  const int64_t end = length * inner;
  auto largest = hn::LoadU(t, x), sum = hn::Zero(t);
  for (int64_t k = inner; k < end; k += inner) largest = simd::Largest::of_vectors(largest, hn::LoadU(t, x + k));
  for (int64_t k = 0; k < end; k += inner) {
    const auto value = simd::exp(t, hn::Sub(hn::LoadU(t, x + k), largest));
    if (!logarithm) hn::StoreU(value, t, y + k);
    sum = hn::Add(sum, value);
  }
  const auto last = logarithm ? simd::log(t, sum) : hn::Div(hn::Set(t, 1.0f), sum);
  for (int64_t k = 0; k < end; k += inner) {
    if (logarithm) hn::StoreU(hn::Sub(hn::Sub(hn::LoadU(t, x + k), largest), last), t, y + k);
    else hn::StoreU(hn::Mul(hn::LoadU(t, y + k), last), t, y + k);
  }
}

template <class D>
void gradient_lanes(D t, const float* gradient, const float* y, float* result, int64_t length, int64_t inner, bool logarithm) {
  const int64_t end = length * inner;
  auto sum = hn::Zero(t);
  for (int64_t k = 0; k < end; k += inner) {
    const auto g = hn::LoadU(t, gradient + k);
    sum = logarithm ? hn::Add(sum, g) : hn::MulAdd(g, hn::LoadU(t, y + k), sum);
  }
  for (int64_t k = 0; k < end; k += inner) {
    const auto g = hn::LoadU(t, gradient + k), own = hn::LoadU(t, y + k);
    hn::StoreU(logarithm ? hn::NegMulAdd(simd::exp(t, own), sum, g) : hn::Mul(own, hn::Sub(g, sum)), t, result + k);
  }
}

/// Calls `body(t, i)` for `count` neighbouring rows, a vector of them at a time and the last ones each.
template <class Body>
HWY_INLINE void for_lanes(int64_t count, Body body) {
  const hn::ScalableTag<float> all;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(all));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) body(all, i);
  for (; i < count; ++i) body(one, i);
}

void softmax_columns(const float* x, float* y, int64_t count, int64_t length, int64_t inner, bool logarithm) {
  for_lanes(count, [=](auto t, int64_t i) HWY_ATTR { softmax_lanes(t, x + i, y + i, length, inner, logarithm); });
}

void gradient_columns(const float* gradient, const float* y, float* result, int64_t count, int64_t length, int64_t inner,
                      bool logarithm) {
  for_lanes(count, [=](auto t, int64_t i) HWY_ATTR {
    gradient_lanes(t, gradient + i, y + i, result + i, length, inner, logarithm);
  });
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(softmax_row);
HWY_EXPORT(gradient_row);
HWY_EXPORT(softmax_columns);
HWY_EXPORT(gradient_columns);

namespace {

constexpr int64_t grain = 16384;  // elements a piece of work
constexpr int64_t strip = 64;     // neighbouring rows that are worked on together

void softmax_doubles(const double* x, double* y, int64_t length, int64_t step, bool logarithm) {
  double largest = x[0], sum = 0;
  for (int64_t k = 1; k < length; ++k)
    if (x[k * step] > largest || x[k * step] != x[k * step]) largest = x[k * step];
  for (int64_t k = 0; k < length; ++k) sum += y[k * step] = std::exp(x[k * step] - largest);
  const double shift = std::log(sum);
  for (int64_t k = 0; k < length; ++k)
    y[k * step] = logarithm ? x[k * step] - largest - shift : y[k * step] / sum;
}

void gradient_doubles(const double* gradient, const double* y, double* result, int64_t length, int64_t step, bool logarithm) {
  double sum = 0;
  for (int64_t k = 0; k < length; ++k) sum += logarithm ? gradient[k * step] : gradient[k * step] * y[k * step];
  for (int64_t k = 0; k < length; ++k) {
    const double own = y[k * step], g = gradient[k * step];
    result[k * step] = logarithm ? g - std::exp(own) * sum : own * (g - sum);
  }
}

/// Calls `body(offset)` with where each row of `rows` begins.
template <class Body>
void for_each_line(Rows rows, Body body) {
  parallel_for(rows.outer * rows.inner, std::max<int64_t>(grain / rows.length, 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i / rows.inner * rows.inner * rows.length + i % rows.inner);
  });
}

/// Calls `body(offset, count)` for strips of neighbouring rows.
template <class Body>
void for_each_strip(Rows rows, Body body) {
  const int64_t strips = (rows.inner + strip - 1) / strip, width = std::min(strip, rows.inner);
  parallel_for(rows.outer * strips, std::max<int64_t>(grain / (rows.length * width), 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % strips * strip;
      body(i / strips * rows.inner * rows.length + first, std::min(strip, rows.inner - first));
    }
  });
}

}  // namespace

void softmax(const Tensor& x, const Tensor& y, Rows rows, bool logarithm) {
  if (x.dtype() == f64) {
    const auto *from = x.data<double>();
    auto* to = y.data<double>();
    for_each_line(rows, [&](int64_t at) { softmax_doubles(from + at, to + at, rows.length, rows.inner, logarithm); });
    return;
  }
  const float* from = x.data<float>();
  float* to = y.data<float>();
  if (rows.inner == 1) {
    const auto row = HWY_DYNAMIC_DISPATCH(softmax_row);
    for_each_line(rows, [&](int64_t at) { row(from + at, to + at, rows.length, logarithm); });
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
    const auto row = HWY_DYNAMIC_DISPATCH(gradient_row);
    for_each_line(rows, [&](int64_t at) { row(upstream + at, own + at, to + at, rows.length, logarithm); });
  } else {
    const auto columns = HWY_DYNAMIC_DISPATCH(gradient_columns);
    for_each_strip(rows, [&](int64_t at, int64_t count) {
      columns(upstream + at, own + at, to + at, count, rows.length, rows.inner, logarithm);
    });
  }
}

}  // namespace percale::cpu
#endif
