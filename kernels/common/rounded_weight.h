// Weights rounded for products in bf16: once a version of their memory, and so once a step in training and never again
// in inference.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// `weight.to(bf16)`, and its gradient. On the CPU the copy is kept until the weight is written; do not write to it.
Tensor rounded_weight(const Tensor& weight);

}  // namespace percale
