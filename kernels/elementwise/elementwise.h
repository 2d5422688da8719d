// Element by element: arithmetic, comparisons and the functions of one number, with broadcasting and PyTorch's
// promotion.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

#include "../../core/tensor.h"

namespace percale {

/// A C++ number as an operand. It never widens a tensor within its kind: f32 * 2.0 is f32, i64 * 2 is i64, i64 * 0.5 is
/// f32.
struct Number {
  double real = 0;
  int64_t integer = 0;
  DType kind = f32;  ///< f32, i64 or bool: what it counts as beside a tensor

  Number() = default;
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Number(T value) : real(static_cast<double>(value)) {
    if constexpr (std::is_same_v<T, bool>)
      kind = boolean;
    else if constexpr (std::is_integral_v<T>)
      kind = i64;
    if constexpr (std::is_integral_v<T>) integer = static_cast<int64_t>(value);
  }
};

/// A tensor (by reference, for the length of one call) or a number: so that `add(x, 2)`, `2 + x` and `x + y` are one
/// function.
class Operand {
 public:
  Operand(const Tensor& tensor) : tensor_(&tensor) {}
  Operand(const Number& number) : number_(number) {}
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Operand(T value) : number_(value) {}

  bool is_tensor() const { return tensor_ != nullptr; }
  /// The tensor; an undefined one for a number.
  const Tensor& tensor() const {
    static const Tensor none;
    return tensor_ ? *tensor_ : none;
  }
  const Number& number() const { return number_; }

 private:
  const Tensor* tensor_ = nullptr;
  Number number_;
};

// Functions of one number. Any dtype; those in the second group give f32 for integers and bool. The output has the
// input's stride order. Gradients can be differentiated again.
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
/// max(x, 0); NaN stays NaN.
Tensor relu(const Tensor& x);

Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor tanh(const Tensor& x);
/// 1 / (1 + exp(-x))
Tensor sigmoid(const Tensor& x);

enum class GeluApproximation { none, tanh };
/// x * P(X <= x) for a standard normal X (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016), or its
/// approximation x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))).
Tensor gelu(const Tensor& x, GeluApproximation approximate = GeluApproximation::none);

/// min(max(x, low), high), either of which may be absent. NaN stays NaN. The gradient passes strictly between the
/// bounds.
Tensor clamp(const Tensor& x, std::optional<Number> min, std::optional<Number> max = {});

// Functions of two numbers. Shapes broadcast; dtypes are promoted as PyTorch's are; the output has the stride order of
// the first operand that has its shape. At least one operand is a tensor.
Tensor add(const Operand& a, const Operand& b);
Tensor sub(const Operand& a, const Operand& b);
Tensor mul(const Operand& a, const Operand& b);
/// True division: integers give f32.
Tensor div(const Operand& a, const Operand& b);
/// a to the power of b. Integers stay integers; an integer to a negative number is an error.
Tensor pow(const Operand& a, const Operand& b);
/// The larger one, NaN if either is. Where both are equal each gets half of the gradient.
Tensor maximum(const Operand& a, const Operand& b);
/// The smaller one, NaN if either is. Where both are equal each gets half of the gradient.
Tensor minimum(const Operand& a, const Operand& b);

// Comparisons: bool tensors, without gradients.
Tensor eq(const Operand& a, const Operand& b);
Tensor ne(const Operand& a, const Operand& b);
Tensor lt(const Operand& a, const Operand& b);
Tensor le(const Operand& a, const Operand& b);
Tensor gt(const Operand& a, const Operand& b);
Tensor ge(const Operand& a, const Operand& b);

/// a where `condition` (a bool tensor) is true, b where it is false. All three broadcast.
Tensor where(const Tensor& condition, const Operand& a, const Operand& b);

inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Operand& a, const Operand& b) { return add(a, b); }
inline Tensor operator-(const Operand& a, const Operand& b) { return sub(a, b); }
inline Tensor operator*(const Operand& a, const Operand& b) { return mul(a, b); }
inline Tensor operator/(const Operand& a, const Operand& b) { return div(a, b); }
inline Tensor operator==(const Operand& a, const Operand& b) { return eq(a, b); }
inline Tensor operator!=(const Operand& a, const Operand& b) { return ne(a, b); }
inline Tensor operator<(const Operand& a, const Operand& b) { return lt(a, b); }
inline Tensor operator<=(const Operand& a, const Operand& b) { return le(a, b); }
inline Tensor operator>(const Operand& a, const Operand& b) { return gt(a, b); }
inline Tensor operator>=(const Operand& a, const Operand& b) { return ge(a, b); }

// In place: `target`'s memory is written, its shape and dtype stay. An error where broadcasting would make it larger or
// its kind (bool, integer, real) cannot hold the result, and for a leaf that requires its gradient while history is
// recorded.
const Tensor& operator+=(const Tensor& target, const Operand& operand);
const Tensor& operator-=(const Tensor& target, const Operand& operand);
const Tensor& operator*=(const Tensor& target, const Operand& operand);
const Tensor& operator/=(const Tensor& target, const Operand& operand);

}  // namespace percale
