// Gradients held within bounds before a step.
#pragma once

#include "../core/tensor.h"

namespace percale::nn {

/// Scales the gradients of `parameters` so that their norm, all taken as one vector, is at most `max_norm` (Pascanu and
/// others, ICML 2013). `norm_type` may be infinity. Returns the norm before, on the parameters' device; nothing waits.
Tensor clip_grad_norm_(const Tensors& parameters, double max_norm, double norm_type = 2);

/// Moves every element of the gradients into [-clip_value, clip_value].
void clip_grad_value_(const Tensors& parameters, double clip_value);

}  // namespace percale::nn
