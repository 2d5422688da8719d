// What the two twins of the optimizers implement, and the numbers of a step, which both work out alike.
#pragma once

#include <cmath>
#include <vector>

#include "../../core/half.h"
#include "../../core/tensor.h"
#include "optimizer.h"

namespace percale {

/// The memory of one parameter: `count` elements from each address, in the same order.
struct ParameterSpan {
  void* parameter = nullptr;
  bfloat16* rounded = nullptr;  ///< the parameter in bf16, to be written too, or null
  const void* gradient = nullptr;
  void* states[3] = {};  ///< momentum buffer; Adagrad's sum; or Adam's m, v and, with amsgrad, the largest v
  int64_t count = 0;
  double* step = nullptr;  ///< how many steps it has taken
};
using ParameterSpans = std::vector<ParameterSpan>;

/// base^exponent by squaring: the same bits on every device.
PERCALE_HOST_DEVICE inline double whole_power(double base, double exponent) {
  double result = 1;
  for (auto rest = static_cast<uint64_t>(exponent); rest; rest >>= 1, base *= base)
    if (rest & 1) result *= base;
  return result;
}

/// Step number `step` (1 is the first) of SGD, as the loop over elements needs it.
template <class T>
struct SgdNumbers {
  T sign, weight_decay, momentum, fresh, negative_rate;  ///< `fresh` weighs the new gradient in the buffer
  bool decays, has_momentum, nesterov;

  PERCALE_HOST_DEVICE SgdNumbers(const SgdOptions& options, double learning_rate, double step)
      : sign(options.maximize ? T(-1) : T(1)),
        weight_decay(static_cast<T>(options.weight_decay)),
        momentum(static_cast<T>(options.momentum)),
        fresh(static_cast<T>(1 - options.dampening)),
        negative_rate(static_cast<T>(-learning_rate)),
        decays(options.weight_decay != 0),
        has_momentum(options.momentum != 0),
        nesterov(options.nesterov),
        first(step == 1) {}

  bool first;  ///< the buffer holds nothing yet
};

/// Step number `step` of Adagrad.
template <class T>
struct AdagradNumbers {
  T sign, weight_decay, negative_size, eps;
  bool decays;

  PERCALE_HOST_DEVICE AdagradNumbers(const AdagradOptions& options, double learning_rate, double step)
      : sign(options.maximize ? T(-1) : T(1)),
        weight_decay(static_cast<T>(options.weight_decay)),
        negative_size(static_cast<T>(-learning_rate / (1 + (step - 1) * options.lr_decay))),
        eps(static_cast<T>(options.eps)),
        decays(options.weight_decay != 0) {}
};

/// Step number `step` of Adam.
template <class T>
struct AdamNumbers {
  T sign, weight_decay, keep, fresh1, beta2, fresh2, negative_size, inverse_root, eps;
  bool decays;

  PERCALE_HOST_DEVICE AdamNumbers(const AdamOptions& options, double learning_rate, double step)
      : sign(options.maximize ? T(-1) : T(1)),
        weight_decay(static_cast<T>(options.weight_decay)),
        keep(static_cast<T>(options.decoupled ? 1 - learning_rate * options.weight_decay : 1)),
        fresh1(static_cast<T>(1 - options.beta1)),
        beta2(static_cast<T>(options.beta2)),
        fresh2(static_cast<T>(1 - options.beta2)),
        negative_size(static_cast<T>(-learning_rate / (1 - whole_power(options.beta1, step)))),
        inverse_root(static_cast<T>(1 / sqrt(1 - whole_power(options.beta2, step)))),
        eps(static_cast<T>(options.eps)),
        decays(options.weight_decay != 0 && !options.decoupled) {}
};

/// What scale_to_norm multiplies by. NaN stays NaN.
PERCALE_HOST_DEVICE inline double clip_factor(double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  return factor > 1 ? 1 : factor;
}

enum class NormKind { one, two, largest, any };

inline NormKind norm_kind(double order) {
  return order == 1          ? NormKind::one
         : order == 2        ? NormKind::two
         : std::isinf(order) ? NormKind::largest
                             : NormKind::any;
}

/// One element's part in a norm, and how parts become one: the larger, NaN above all, or the sum.
template <NormKind kind>
PERCALE_HOST_DEVICE inline double norm_part(double value, double order) {
  const double magnitude = value < 0 ? -value : value;
  if constexpr (kind == NormKind::two)
    return value * value;
  else if constexpr (kind == NormKind::any)
    return pow(magnitude, order);
  else
    return magnitude;
}
template <NormKind kind>
PERCALE_HOST_DEVICE inline double norm_join(double a, double b) {
  if constexpr (kind == NormKind::largest)
    return a > b || a != a ? a : b;
  else
    return a + b;
}
PERCALE_HOST_DEVICE inline double norm_root(double joined, double order) {
  if (order == 2) return sqrt(joined);
  return order == 1 || order > 1e300 ? joined : pow(joined, 1 / order);
}

namespace cpu {
void sgd_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const SgdOptions& options);
void adagrad_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const AdagradOptions& options);
void adam_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const AdamOptions& options);
void gradient_norm(const ParameterSpans& spans, double order, const Tensor& norm);
void scale_to_norm(const ParameterSpans& spans, DType dtype, const Tensor& norm, double max_norm);
void clamp_gradients(const ParameterSpans& spans, DType dtype, double limit);
}  // namespace cpu

namespace cuda {
void sgd_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const SgdOptions& options);
void adagrad_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const AdagradOptions& options);
void adam_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const AdamOptions& options);
void gradient_norm(const ParameterSpans& spans, double order, const Tensor& norm);
void scale_to_norm(const ParameterSpans& spans, DType dtype, const Tensor& norm, double max_norm);
void clamp_gradients(const ParameterSpans& spans, DType dtype, double limit);
}  // namespace cuda

}  // namespace percale
