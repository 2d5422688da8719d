// Losses of yes-or-no answers, and the squared error of a sigmoid: one pass forward, one backward.
#pragma once

#include "../../core/tensor.h"
#include "../common/reduction_mode.h"

namespace percale {

/// What the three losses share: `target` has the input's shape (broadcasting is an error here, since it nearly always
/// was one) and dtype, f32, f64, f16 or bf16 (computed in f32), and wants no gradient.

/// -weight * (target log(input) + (1 - target) log(1 - input)), logarithms cut off at -100: PyTorch's
/// binary_cross_entropy.
/// @param input probabilities in [0, 1]; outside of them the loss is NaN.
/// @param weight undefined, or a factor for each element, broadcast.
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                            Reduction reduction = Reduction::mean);

/// binary_cross_entropy(sigmoid(logits), target) in one operation, precise for any logit:
/// (1 - t) x + (1 + (p - 1) t) (log(1 + exp(-|x|)) + max(-x, 0)).
/// @param pos_weight p: undefined (1), or how much more a target of 1 counts, broadcast.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target, const Tensor& weight = {},
                                        const Tensor& pos_weight = {}, Reduction reduction = Reduction::mean);

/// mse_loss(sigmoid(logits), target) in one operation.
Tensor sigmoid_mse_loss(const Tensor& logits, const Tensor& target, Reduction reduction = Reduction::mean);

}  // namespace percale
