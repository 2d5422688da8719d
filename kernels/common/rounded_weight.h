// Weights rounded for products in bf16.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// `weight.to(bf16)`, and its gradient, by the copy that is kept beside the weight where there can be one
/// (core/rounded_copy.h); do not write to it.
Tensor rounded_weight(const Tensor& weight);

}  // namespace percale
