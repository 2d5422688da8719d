// What the two twins of linear implement. Shapes, dtypes and devices are checked before.
#pragma once

#include "../../core/tensor.h"
#include "../common/activation.h"

namespace percale {

/// The operands of one layer: x [rows, in], weight [out, in], bias [out] or undefined, result [rows, out] contiguous.
struct LinearOperands {
  const Tensor& x;
  const Tensor& weight;
  const Tensor& bias;
  const Tensor& result;
  Activation activation;
  bool weight_is_trained;  ///< its next value is near: packing it would not pay
};

/// The way back to the product, all [rows, out] contiguous. masked = gradient where result > 0 (or is NaN), else 0;
/// sums [out] = masked, or the gradient itself, summed over the rows. What is undefined is left out.
struct LinearGradient {
  const Tensor& gradient;
  const Tensor& result;
  const Tensor& masked;
  const Tensor& sums;
};

namespace cpu {
void linear(const LinearOperands& operands);
void linear_gradient(const LinearGradient& operands);
}  // namespace cpu

namespace cuda {
void linear(const LinearOperands& operands);
void linear_gradient(const LinearGradient& operands);
}  // namespace cuda

}  // namespace percale
