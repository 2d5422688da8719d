#include "linear_int8.h"

#include "../../core/autograd.h"
#include "../../core/cpu/onednn.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../fill/fill.h"
#include "linear_int8_twins.h"

namespace percale {

QuantisedWeight quantise_rows(const Tensor& weight) {
  const Operation operation{"quantise_rows"};
  require(weight.rank() == 2 && weight.dtype() == f32, "quantise_rows",
          "the weight must be [out, in] of f32, got {} of {}", weight.shape(), weight.dtype());
  require(weight.device().is_cpu(), "quantise_rows", "runs on the CPU only; on CUDA use bf16");
  require(weight.size(1) <= most_int8_inputs, "quantise_rows",
          "sums of more than {} products may overflow, got {} inputs", most_int8_inputs, weight.size(1));
  const Int8Layout layout{weight.size(0), weight.size(1)};
  const auto key = cpu::PrimitiveKey("int8").add(weight.shape()).add(weight.strides());
  const auto packed = cpu::packed_weights(weight, key, static_cast<size_t>(layout.bytes()),
                                          [&](void* target) { cpu::quantise_rows(weight.detach(), target); });
  return {layout.out, layout.in, packed};
}

Tensor dequantised(const QuantisedWeight& weight) {
  const Tensor result = Tensor::empty({weight.out, weight.in});
  cpu::dequantise(weight, result);
  return result;
}

Tensor linear_int8(const Tensor& x, const QuantisedWeight& weight, const Tensor& bias, Activation activation) {
  const Operation operation{"linear_int8"};
  require(weight.packed != nullptr, "linear_int8", "the weight is empty: make one with quantise_rows");
  require(x.rank() > 0 && x.size(-1) == weight.in, "linear_int8", "x {} does not fit a weight of [{}, {}]", x.shape(),
          weight.out, weight.in);
  require(x.dtype() == f32, "linear_int8", "x must be of f32, got {}", x.dtype());
  if (bias.defined()) {
    require(bias.rank() == 1 && bias.size(0) == weight.out && bias.dtype() == f32, "linear_int8",
            "bias must be [{}] of f32, got {} of {}", weight.out, bias.shape(), bias.dtype());
    require_same_device("linear_int8", {&x, &bias});
  }
  require(activation != Activation::gelu, "linear_int8", "has no GELU of its own; call gelu on its result");
  require(!should_record({x, bias}), "linear_int8", "has no gradient; call it under a NoGradGuard");
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.out;
  const Tensor result = Tensor::empty(shape, x.options());
  if (result.numel()) {
    const int64_t rows = result.numel() / weight.out;
    const Tensor matrix = x.detach().contiguous().view({rows, weight.in});
    const Tensor dense_bias = bias.defined() ? bias.detach().contiguous() : bias;
    on<cpu::linear_int8, cuda::linear_int8>(x.device(), matrix, weight, dense_bias, activation,
                                            result.view({rows, weight.out}));
  }
  return result;
}

}  // namespace percale
