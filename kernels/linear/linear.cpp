#include "linear.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/precision.h"
#include "../../core/trace.h"
#include "../bias_gelu/bias_gelu.h"
#include "../common/product.h"
#include "../common/rounded_weight.h"
#include "../fill/fill.h"
#include "../linear_int8/linear_int8.h"
#include "../matmul/matmul.h"
#include "linear_twins.h"

namespace percale {
namespace {

/// {the gradient where `result` is positive, or undefined if `result` is; its sum over the rows, or undefined}: one
/// pass.
Tensors masked_and_summed(const Tensor& gradient, const Tensor& result, bool sums) {
  const Tensor dense = gradient.contiguous();
  Tensors outputs(2);
  if (result.defined()) outputs[0] = Tensor::empty(dense.shape(), dense.options());
  if (sums) outputs[1] = zeros({dense.size(1)}, dense.options());
  if (dense.numel())
    on<cpu::linear_gradient, cuda::linear_gradient>(dense.device(),
                                                    LinearGradient{dense.detach(), result, outputs[0], outputs[1]});
  // The gradient stands twice among the inputs, once for each output: the tape adds what comes back to it.
  return record_all(
      "LinearReluGradientBackward0", outputs, {dense, dense}, saved(result),
      [shape = dense.shape()](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor result = saved[0];
        auto returned = [&](const Tensor& upstream) {
          return upstream.defined() && result.defined() ? masked_and_summed(upstream, result, false)[0] : upstream;
        };
        return {returned(gradients[0]), returned(gradients[1].defined() ? gradients[1].expand(shape) : Tensor())};
      });
}

/// The layer on x [rows, in]; the result is shown as `shape`.
Tensor layer(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation,
             const Shape& shape) {
  const Shape whole{x.size(0), weight.size(0)};
  Tensor result = Tensor::empty(shape, x.options());
  if (result.numel()) {
    const Tensor out = Tensor::from_storage(result.storage(), whole, contiguous_strides(whole), 0, result.dtype());
    on<cpu::linear, cuda::linear>(x.device(),
                                  LinearOperands{x, weight, bias, out, activation, should_record({weight})});
  }
  return record(name, result, {x, weight, bias}, saved(x, weight, activation == Activation::relu ? result : Tensor()),
                [whole](const Tensors& gradients, const Saved& saved) -> Tensors {
                  Tensor upstream = gradients[0].reshape(whole), bias_gradient;
                  const Tensor result = saved[2].defined() ? saved[2].detach().reshape(whole) : Tensor();
                  if (result.defined() || saved.needs(2)) {
                    const Tensors found = masked_and_summed(upstream, result, saved.needs(2));
                    if (result.defined()) upstream = found[0];
                    bias_gradient = found[1];
                  }
                  return {saved.needs(0) ? matmul(upstream, saved[1]) : Tensor(),
                          saved.needs(1) ? matmul(upstream.t(), saved[0]) : Tensor(), bias_gradient};
                });
}

const char* name_of_layer(int rank, bool bias, bool relu) {
  if (relu) return "ReluBackward0";
  if (rank == 1) return bias ? "UnsafeViewBackward0" : "SqueezeBackward4";
  if (rank > 2) return "UnsafeViewBackward0";
  return bias ? "AddmmBackward0" : "MmBackward0";
}

Tensor checked_layer(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias,
                     Activation activation) {
  // Activations may be bf16 already while parameters stay f32.
  const auto is_rounded = [](const Tensor& tensor) { return tensor.dtype() == f32 || tensor.dtype() == bf16; };
  if (current_precision() == Precision::bf16 && is_rounded(x) && is_rounded(weight) &&
      (x.dtype() == f32 || weight.dtype() == f32))
    return checked_layer(operation, x.to(bf16), rounded_weight(weight), bias.defined() ? rounded_weight(bias) : bias,
                         activation);
  require(x.rank() > 0, operation, "x must be [..., in], got a tensor without dimensions");
  require(weight.rank() == 2, operation, "weight must be [out, in], got {}", weight.shape());
  require(x.size(-1) == weight.size(1), operation, "x {} does not fit weight {}: {} inputs, {} expected", x.shape(),
          weight.shape(), x.size(-1), weight.size(1));
  require(is_floating(x.dtype()) && x.dtype() == weight.dtype(), operation,
          "x and weight must have the same floating-point dtype, got {} and {}", x.dtype(), weight.dtype());
  if (bias.defined()) {
    require(bias.rank() == 1 && bias.size(0) == weight.size(0), operation, "bias must be [{}], got {}", weight.size(0),
            bias.shape());
    require(bias.dtype() == x.dtype(), operation, "bias must be {} as x, got {}", x.dtype(), bias.dtype());
  }
  require_same_device(operation, {&x, &weight, &bias});
  if (current_precision() == Precision::int8 && x.dtype() == f32 && x.device().is_cpu() &&
      x.size(-1) <= most_int8_inputs && !should_record({x, weight, bias}))
    return linear_int8(x, quantise_rows(weight), bias, activation);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.size(0);
  const int64_t rows = x.size(-1) ? x.numel() / x.size(-1) : shape.numel() / std::max<int64_t>(weight.size(0), 1);
  const Tensor matrix = x.rank() == 2 ? x : x.reshape({rows, x.size(-1)});
  const char* name = name_of_layer(x.rank(), bias.defined(), activation == Activation::relu);
  return layer(name, matrix, weight, bias, activation, shape);
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Operation operation{"linear"};
  return checked_layer("linear", x, weight, bias, Activation::none);
}

Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Operation operation{"linear_relu"};
  return checked_layer("linear_relu", x, weight, bias, Activation::relu);
}

Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Operation operation{"linear_gelu"};
  const DType dtype = x.dtype() == f32 && current_precision() == Precision::bf16 ? bf16 : x.dtype();
  const bool fuses = x.device().is_cpu() && cpu::finishes_gelu(dtype) && !should_record({x, weight, bias}) && x.numel();
  if (fuses) return checked_layer("linear_gelu", x, weight, bias, Activation::gelu);
  return bias_gelu(checked_layer("linear_gelu", x, weight, {}, Activation::none), bias);
}

}  // namespace percale
