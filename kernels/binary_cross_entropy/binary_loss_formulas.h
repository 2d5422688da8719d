// The binary losses and their slopes for one element: what both twins compute, but for the CPU's vectors.
#pragma once

#include <math.h>

#include "../../core/half.h"
#include "binary_cross_entropy_twins.h"

namespace percale {

template <class T>
PERCALE_HOST_DEVICE inline T logistic(T x) {
  return 1 / (1 + exp(-x));
}

/// log(x), but no less than -100; NaN stays NaN.
template <class T>
PERCALE_HOST_DEVICE inline T cut_logarithm(T x) {
  const T value = log(x);
  return value < -100 ? T(-100) : value;
}

template <BinaryLoss kind, class T>
PERCALE_HOST_DEVICE inline T loss_formula(T x, T t) {
  if constexpr (kind == BinaryLoss::probabilities)
    return (t - 1) * cut_logarithm(1 - x) - t * cut_logarithm(x);
  else if constexpr (kind == BinaryLoss::logits)
    return (1 - t) * x + log1p(exp(x < 0 ? x : -x)) + (x < 0 ? -x : T(0));
  else
    return (logistic(x) - t) * (logistic(x) - t);
}

template <BinaryLoss kind, class T>
PERCALE_HOST_DEVICE inline T slope_formula(T x, T t) {
  if constexpr (kind == BinaryLoss::probabilities) {
    const T spread = (1 - x) * x;
    return (x - t) / (spread < T(1e-12) ? T(1e-12) : spread);
  } else if constexpr (kind == BinaryLoss::logits) {
    return logistic(x) - t;
  } else {
    const T s = logistic(x);
    return 2 * (s - t) * s * (1 - s);
  }
}

}  // namespace percale
