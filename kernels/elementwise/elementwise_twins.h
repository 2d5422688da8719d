// What the two twins of the elementwise functions implement. Shapes, dtypes and devices are checked before.
#pragma once

#include <cstdint>
#include <span>

#include "../../core/tensor.h"

namespace percale::elementwise {

/// The functions of the table, by name.
enum class Function : uint8_t {
#define NUMERIC(name, operands, scalar, vector) name,
#define REAL(name, operands, scalar, vector) name,
#include "elementwise_table.inc"
#undef NUMERIC
#undef REAL
};

/// The most operands that a function has.
inline constexpr int max_operands = 4;

/// How many operands a function has.
constexpr int operands_of(Function function) {
  constexpr int counts[] = {
#define NUMERIC(name, operands, scalar, vector) operands,
#define REAL(name, operands, scalar, vector) operands,
#include "elementwise_table.inc"
#undef NUMERIC
#undef REAL
  };
  return counts[static_cast<int>(function)];
}

/// One operand: a tensor with its strides over the output's shape (0 where it is repeated), or a number.
struct Source {
  const Tensor* tensor = nullptr;
  Strides strides;
  double real = 0;
  int64_t integer = 0;
};

}  // namespace percale::elementwise

namespace percale {
/// The gradient of relu by its result y: `gradient`, but 0 where y <= 0. Differentiable by `gradient`. For families
/// with a ReLU fused in.
Tensor relu_gradient(const Tensor& gradient, const Tensor& y);
}  // namespace percale

namespace percale::cpu {
/// out = function(sources...), each converted to `dtype` first: what they were promoted to. The 16-bit ones are
/// computed in f32, bool and the integers in i64. `in_place`: `out` is lasting state, left alone once an operation has
/// met a bad index.
void elementwise(elementwise::Function function, DType dtype, std::span<const elementwise::Source> sources,
                 const Tensor& out, bool in_place);
}  // namespace percale::cpu

namespace percale::cuda {
void elementwise(elementwise::Function function, DType dtype, std::span<const elementwise::Source> sources,
                 const Tensor& out, bool in_place);
}  // namespace percale::cuda
