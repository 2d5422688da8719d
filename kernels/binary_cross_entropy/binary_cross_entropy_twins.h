// What the twins of the binary losses implement. All tensors are f32 or f64 alike, and dense in the same order.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// Of probabilities, of logits, and the squared error of a logit's sigmoid.
enum class BinaryLoss { probabilities, logits, squared_sigmoid };

namespace cpu {
/// loss: one value an element (`each`), or the sum of all divided by `divisor`.
void binary_loss(BinaryLoss kind, const Tensor& input, const Tensor& target, const Tensor& loss, bool each,
                 double divisor);
/// result = gradient * factor * d loss / d input; the gradient has one value an element (`each`), or one in all.
void binary_loss_gradient(BinaryLoss kind, const Tensor& gradient, const Tensor& input, const Tensor& target,
                          const Tensor& result, bool each, double factor);
}  // namespace cpu

namespace cuda {
void binary_loss(BinaryLoss kind, const Tensor& input, const Tensor& target, const Tensor& loss, bool each,
                 double divisor);
void binary_loss_gradient(BinaryLoss kind, const Tensor& gradient, const Tensor& input, const Tensor& target,
                          const Tensor& result, bool each, double factor);
}  // namespace cuda

}  // namespace percale
