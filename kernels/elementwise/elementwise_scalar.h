// The scalar bodies of the elementwise table, for both twins.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "../../core/half.h"
#include "elementwise_twins.h"

namespace percale::elementwise {

// Integers wrap around, as the processor's do.
template <class T>
PERCALE_HOST_DEVICE inline T sum_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else
    return a + b;
}
template <class T>
PERCALE_HOST_DEVICE inline T difference_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
  else
    return a - b;
}
template <class T>
PERCALE_HOST_DEVICE inline T product_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  else
    return a * b;
}
template <class T>
PERCALE_HOST_DEVICE inline T negated(T a) {
  if constexpr (std::is_integral_v<T>)
    return difference_of(T(0), a);
  else
    return -a;
}
template <class T>
PERCALE_HOST_DEVICE inline T magnitude(T a) {
  if constexpr (std::is_integral_v<T>)
    return a < 0 ? negated(a) : a;
  else
    return std::fabs(a);
}
template <class T>
PERCALE_HOST_DEVICE inline T least_of(T a, T limit) {
  return a > limit ? limit : a;
}

/// Integers by repeated squaring; to a negative power they are what is left of the fraction: 0, or 1 and -1 themselves.
template <class T>
PERCALE_HOST_DEVICE inline T power_of(T base, T exponent) {
  if constexpr (std::is_integral_v<T>) {
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    T result = 1;
    for (; exponent > 0; exponent /= 2) {
      if (exponent % 2) result = product_of(result, base);
      base = product_of(base, base);
    }
    return result;
  } else {
    return std::pow(base, exponent);
  }
}

/// The probability that a standard normal number is below `a`, and the density there.
template <class T>
PERCALE_HOST_DEVICE inline T normal_below(T a) {
  return T(0.5) * (T(1) + std::erf(a * T(0.70710678118654752440)));
}
template <class T>
PERCALE_HOST_DEVICE inline T normal_density(T a) {
  return T(0.39894228040143267794) * std::exp(T(-0.5) * a * a);
}

/// What stands inside the tanh of gelu's approximation.
template <class T>
PERCALE_HOST_DEVICE inline T gelu_argument(T a) {
  return T(0.79788456080286535588) * (a + T(0.044715) * a * a * a);
}
template <class T>
PERCALE_HOST_DEVICE inline T gelu_tanh_slope(T a) {
  const T bent = std::tanh(gelu_argument(a));
  const T inner = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * a * a);
  return T(0.5) * (T(1) + bent) + T(0.5) * a * (T(1) - bent * bent) * inner;
}

/// function(a, b, c, d): `Apply<Function::add>::to(a, b, c, d)`. Operands that the function lacks are not looked at.
template <Function function>
struct Apply;

#define NUMERIC(name, operands, scalar, vector)                                                       \
  template <>                                                                                         \
  struct Apply<Function::name> {                                                                      \
    static constexpr bool takes_integers = true;                                                      \
    template <class T>                                                                                \
    PERCALE_HOST_DEVICE static T to([[maybe_unused]] T a, [[maybe_unused]] T b, [[maybe_unused]] T c, \
                                    [[maybe_unused]] T d) {                                           \
      return scalar;                                                                                  \
    }                                                                                                 \
  };
#define REAL(name, operands, scalar, vector)                                                          \
  template <>                                                                                         \
  struct Apply<Function::name> {                                                                      \
    static constexpr bool takes_integers = false;                                                     \
    template <class T>                                                                                \
    PERCALE_HOST_DEVICE static T to([[maybe_unused]] T a, [[maybe_unused]] T b, [[maybe_unused]] T c, \
                                    [[maybe_unused]] T d) {                                           \
      return scalar;                                                                                  \
    }                                                                                                 \
  };
#include "elementwise_table.inc"
#undef NUMERIC
#undef REAL

}  // namespace percale::elementwise
