#include "rounded_weight.h"

#include "../../core/autograd.h"
#include "../../core/cpu/onednn.h"
#include "../../core/primitives.h"

namespace percale {

Tensor rounded_weight(const Tensor& weight) {
  if (weight.dtype() == bf16 || weight.device().is_cuda() || !weight.is_contiguous() || !weight.numel())
    return weight.to(bf16);
  const auto round = [&](void* target) {
    copy(weight.detach(), Tensor::from_blob(target, weight.shape(), {bf16, cpu_device}));
  };
  const auto rounded = cpu::packed_weights(weight, cpu::PrimitiveKey("rounded to bf16").add(weight.shape()),
                                           static_cast<size_t>(weight.numel()) * sizeof(bfloat16), round);
  return record(
      "ToCopyBackward0", Tensor::from_storage(rounded, weight.shape(), contiguous_strides(weight.shape()), 0, bf16),
      {weight}, {},
      [from = weight.dtype()](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0].to(from)}; });
}

}  // namespace percale
