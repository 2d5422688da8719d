#include "clip_grad.h"

#include "../core/autograd.h"
#include "../kernels/fill/fill.h"
#include "../kernels/optimizer/optimizer.h"

namespace percale::nn {
namespace {

Tensors gradients_of(const char* operation, const Tensors& parameters) {
  Tensors gradients;
  for (const Tensor& parameter : parameters) {
    require(row_gradients(parameter).empty(), operation,
            "the gradient of a table of shape {} is row-sparse, and cannot be clipped", parameter.shape());
    if (Tensor gradient = parameter.grad(); gradient.defined()) gradients.push_back(gradient.detach());
  }
  return gradients;
}

}  // namespace

Tensor clip_grad_norm_(const Tensors& parameters, double max_norm, double norm_type) {
  require(max_norm >= 0, "clip_grad_norm_", "max_norm cannot be negative, got {}", max_norm);
  const NoGradGuard no_grad;
  const Tensors gradients = gradients_of("clip_grad_norm_", parameters);
  if (gradients.empty()) return zeros({});
  const Tensor norm = gradient_norm(gradients, norm_type);
  scale_to_norm(gradients, norm, max_norm);
  return norm;
}

void clip_grad_value_(const Tensors& parameters, double clip_value) {
  require(clip_value >= 0, "clip_grad_value_", "clip_value cannot be negative, got {}", clip_value);
  const NoGradGuard no_grad;
  if (const Tensors gradients = gradients_of("clip_grad_value_", parameters); !gradients.empty())
    clamp_gradients(gradients, clip_value);
}

}  // namespace percale::nn
