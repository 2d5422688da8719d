// The mean squared error.
#pragma once

#include "../../core/tensor.h"
#include "../common/reduction_mode.h"

namespace percale {

/// (input - target)^2 for each element, their mean (NaN if there are none) or their sum. Both f32, f64, f16 or bf16
/// (computed in f32) alike, and of one shape: broadcasting is an error here, since it nearly always was one.
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean);

}  // namespace percale
