#include "rounded_weight.h"

#include "../../core/autograd.h"
#include "../../core/rounded_copy.h"

namespace percale {

Tensor rounded_weight(const Tensor& weight) {
  const Tensor rounded = rounded_copy(weight);
  if (!rounded.defined()) return weight.to(bf16);
  return record("ToCopyBackward0", rounded, {weight}, {},
                [](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0].to(f32)}; });
}

}  // namespace percale
