// What a row is brought to mean 0 and variance 1 by: found once, used forward and backward by both twins of the norms.
#pragma once

#include <cmath>
#include <cstdint>

#include "data_or_null.h"

namespace percale {

/// Element x of a row becomes fma(x - shift, scale, offset). `shift` is the mean as far as T holds it and `offset` what
/// is missing from it, scaled: so rows whose mean is far larger than their deviation lose nothing.
template <class T>
struct RowStatistics {
  T shift, scale, offset;
};

/// From the sums of x - shift and of its square: the corrected two-pass variance of Chan, Golub and LeVeque,
/// "Algorithms for Computing the Sample Variance" (1983), equation 1.7. It is biased (divided by the width).
template <class T, class Sum>
PERCALE_HOST_DEVICE inline RowStatistics<T> row_statistics(T shift, Sum sum, Sum squares, int64_t width, double eps) {
  const auto count = static_cast<Sum>(width);
  const Sum missing = sum / count, variance = squares / count - missing * missing;
  const Sum scale = Sum(1) / std::sqrt((variance < Sum(0) ? Sum(0) : variance) + static_cast<Sum>(eps));
  return {shift, static_cast<T>(scale), static_cast<T>(-missing * scale)};
}

/// Those in `statistics` [..., 3], or null where it is undefined.
template <class T>
RowStatistics<T>* statistics_in(const Tensor& statistics) {
  return reinterpret_cast<RowStatistics<T>*>(data_or_null<T>(statistics));
}

}  // namespace percale
