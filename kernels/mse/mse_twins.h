// What the twins of the mean squared error implement. All tensors are f32 or f64 alike, and dense in the same order.
#pragma once

#include "../../core/tensor.h"

namespace percale {

namespace cpu {
/// loss: one value an element (`each`), or the sum of all divided by `divisor`.
void squared_error(const Tensor& input, const Tensor& target, const Tensor& loss, bool each, double divisor);
/// result = gradient * factor * (input - target); the gradient has one value an element (`each`), or one in all.
void squared_error_gradient(const Tensor& gradient, const Tensor& input, const Tensor& target, const Tensor& result,
                            bool each, double factor);
}  // namespace cpu

namespace cuda {
void squared_error(const Tensor& input, const Tensor& target, const Tensor& loss, bool each, double divisor);
void squared_error_gradient(const Tensor& gradient, const Tensor& input, const Tensor& target, const Tensor& result,
                            bool each, double factor);
}  // namespace cuda

}  // namespace percale
