#include "../common/elementwise_loss.h"
#include "mse_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/mse/mse_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "../common/vector_math-inl.h"
#include "../common/vector_reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The sum of the squared differences, which are written to `each` if that is not null.
double squares(const float* input, const float* target, float* each, int64_t count) {
  const float* in[] = {input, target};
  return simd::map_reduce<simd::Sum, 2>(in, each, count, [](auto, auto a, auto b) HWY_ATTR {
    const auto difference = hn::Sub(a, b);
    return hn::Mul(difference, difference);
  });
}

/// `gradient` null: a factor alone.
void slopes(const float* gradient, const float* input, const float* target, float factor, float* result,
            int64_t count) {
  const float* in[] = {input, target, gradient};
  if (gradient) {
    for_each_vector<3>(in, result, static_cast<size_t>(count),
                       [=](auto t, auto a, auto b, auto upstream, auto)
                           HWY_ATTR { return hn::Mul(hn::Mul(hn::Sub(a, b), hn::Set(t, factor)), upstream); });
  } else {
    for_each_vector<2>(in, result, static_cast<size_t>(count), [=](auto t, auto a, auto b, auto, auto) HWY_ATTR {
      return hn::Mul(hn::Sub(a, b), hn::Set(t, factor));
    });
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(squares);
HWY_EXPORT(slopes);

namespace {

constexpr int64_t grain = 16384;

double squares_of(const double* input, const double* target, double* each, int64_t count) {
  double total = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double square = (input[i] - target[i]) * (input[i] - target[i]);
    if (each) each[i] = square;
    total += square;
  }
  return total;
}

void slopes_of(const double* gradient, const double* input, const double* target, double factor, double* result,
               int64_t count) {
  for (int64_t i = 0; i < count; ++i) result[i] = (input[i] - target[i]) * factor * (gradient ? gradient[i] : 1);
}

}  // namespace

void squared_error(const Tensor& input, const Tensor& target, const Tensor& loss, bool each, double divisor) {
  if (input.dtype() == f64)
    elementwise_loss<double>(squares_of, input, target, loss, each, divisor, grain);
  else
    elementwise_loss<float>(HWY_DYNAMIC_DISPATCH(squares), input, target, loss, each, divisor, grain);
}

void squared_error_gradient(const Tensor& gradient, const Tensor& input, const Tensor& target, const Tensor& result,
                            bool each, double factor) {
  if (input.dtype() == f64)
    elementwise_loss_gradient<double>(slopes_of, gradient, input, target, result, each, factor, grain);
  else
    elementwise_loss_gradient<float>(HWY_DYNAMIC_DISPATCH(slopes), gradient, input, target, result, each, factor,
                                     grain);
}

}  // namespace percale::cpu
#endif
