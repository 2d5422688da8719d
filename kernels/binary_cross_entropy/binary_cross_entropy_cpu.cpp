#include <functional>

#include "../common/elementwise_loss.h"
#include "binary_loss_formulas.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/binary_cross_entropy/binary_cross_entropy_cpu.cpp"
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include "../common/vector_math-inl.h"
#include "../common/vector_reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The formulas of binary_loss_formulas.h for vectors.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V vector_cut_logarithm(D d, V x) {
  const V value = simd::log(d, x), least = hn::Set(d, -100.0f);
  return hn::IfThenElse(hn::Lt(value, least), least, value);
}

template <BinaryLoss kind, class D, class V = hn::Vec<D>>
HWY_INLINE V vector_loss(D d, V x, V t) {
  const V one = hn::Set(d, 1.0f);
  if constexpr (kind == BinaryLoss::probabilities) {
    return hn::Sub(hn::Mul(hn::Sub(t, one), vector_cut_logarithm(d, hn::Sub(one, x))),
                   hn::Mul(t, vector_cut_logarithm(d, x)));
  } else if constexpr (kind == BinaryLoss::logits) {
    const V logarithm = hn::Log1p(d, simd::exp(d, hn::Neg(hn::Abs(x))));
    const V positive = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Neg(x), hn::Zero(d));
    return hn::Add(hn::Add(hn::Mul(hn::Sub(one, t), x), hn::IfThenElse(hn::IsNaN(x), x, logarithm)), positive);
  } else {
    const V difference = hn::Sub(simd::sigmoid(d, x), t);
    return hn::Mul(difference, difference);
  }
}

template <BinaryLoss kind, class D, class V = hn::Vec<D>>
HWY_INLINE V vector_slope(D d, V x, V t) {
  const V one = hn::Set(d, 1.0f);
  if constexpr (kind == BinaryLoss::probabilities) {
    const V spread = hn::Mul(hn::Sub(one, x), x), least = hn::Set(d, 1e-12f);
    return hn::Div(hn::Sub(x, t), hn::IfThenElse(hn::Lt(spread, least), least, spread));
  } else if constexpr (kind == BinaryLoss::logits) {
    return hn::Sub(simd::sigmoid(d, x), t);
  } else {
    const V s = simd::sigmoid(d, x);
    return hn::Mul(hn::Mul(hn::Mul(hn::Set(d, 2.0f), hn::Sub(s, t)), s), hn::Sub(one, s));
  }
}

template <BinaryLoss kind>
double losses(const float* input, const float* target, float* each, int64_t count) {
  const float* in[] = {input, target};
  return simd::map_reduce<simd::Sum, 2>(in, each, count,
                                        [](auto d, auto x, auto t) HWY_ATTR { return vector_loss<kind>(d, x, t); });
}

/// The sum of the losses, which are written to `each` if that is not null.
double losses_of(BinaryLoss kind, const float* input, const float* target, float* each, int64_t count) {
  switch (kind) {
    case BinaryLoss::probabilities:
      return losses<BinaryLoss::probabilities>(input, target, each, count);
    case BinaryLoss::logits:
      return losses<BinaryLoss::logits>(input, target, each, count);
    case BinaryLoss::squared_sigmoid:
      break;
  }
  return losses<BinaryLoss::squared_sigmoid>(input, target, each, count);
}

template <BinaryLoss kind>
void slopes(const float* gradient, const float* input, const float* target, float factor, float* result,
            int64_t count) {
  const float* in[] = {input, target, gradient ? gradient : input};
  for_each_vector<3>(in, result, static_cast<size_t>(count), [=](auto d, auto x, auto t, auto upstream, auto) HWY_ATTR {
    const auto slope = hn::Mul(vector_slope<kind>(d, x, t), hn::Set(d, factor));
    return gradient ? hn::Mul(slope, upstream) : slope;
  });
}

/// `gradient` null: a factor alone.
void slopes_of(BinaryLoss kind, const float* gradient, const float* input, const float* target, float factor,
               float* result, int64_t count) {
  switch (kind) {
    case BinaryLoss::probabilities:
      return slopes<BinaryLoss::probabilities>(gradient, input, target, factor, result, count);
    case BinaryLoss::logits:
      return slopes<BinaryLoss::logits>(gradient, input, target, factor, result, count);
    case BinaryLoss::squared_sigmoid:
      break;
  }
  slopes<BinaryLoss::squared_sigmoid>(gradient, input, target, factor, result, count);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(losses_of);
HWY_EXPORT(slopes_of);

namespace {

constexpr int64_t grain = 8192;

template <class Body>
void with_kind(BinaryLoss kind, Body&& body) {
  switch (kind) {
    case BinaryLoss::probabilities:
      return body.template operator()<BinaryLoss::probabilities>();
    case BinaryLoss::logits:
      return body.template operator()<BinaryLoss::logits>();
    case BinaryLoss::squared_sigmoid:
      return body.template operator()<BinaryLoss::squared_sigmoid>();
  }
}

double exact_losses(BinaryLoss kind, const double* input, const double* target, double* each, int64_t count) {
  double total = 0;
  with_kind(kind, [&]<BinaryLoss known>() {
    for (int64_t i = 0; i < count; ++i) {
      const double loss = loss_formula<known>(input[i], target[i]);
      if (each) each[i] = loss;
      total += loss;
    }
  });
  return total;
}

void exact_slopes(BinaryLoss kind, const double* gradient, const double* input, const double* target, double factor,
                  double* result, int64_t count) {
  with_kind(kind, [&]<BinaryLoss known>() {
    for (int64_t i = 0; i < count; ++i)
      result[i] = slope_formula<known>(input[i], target[i]) * factor * (gradient ? gradient[i] : 1);
  });
}

}  // namespace

void binary_loss(BinaryLoss kind, const Tensor& input, const Tensor& target, const Tensor& loss, bool each,
                 double divisor) {
  if (input.dtype() == f64)
    elementwise_loss<double>(std::bind_front(exact_losses, kind), input, target, loss, each, divisor, grain);
  else
    elementwise_loss<float>(std::bind_front(HWY_DYNAMIC_DISPATCH(losses_of), kind), input, target, loss, each, divisor,
                            grain);
}

void binary_loss_gradient(BinaryLoss kind, const Tensor& gradient, const Tensor& input, const Tensor& target,
                          const Tensor& result, bool each, double factor) {
  if (input.dtype() == f64)
    elementwise_loss_gradient<double>(std::bind_front(exact_slopes, kind), gradient, input, target, result, each,
                                      factor, grain);
  else
    elementwise_loss_gradient<float>(std::bind_front(HWY_DYNAMIC_DISPATCH(slopes_of), kind), gradient, input, target,
                                     result, each, factor, grain);
}

}  // namespace percale::cpu
#endif
