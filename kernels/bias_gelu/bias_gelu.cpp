#include "bias_gelu.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "bias_gelu_twins.h"

namespace percale {
namespace {

Tensor rows_of(const Tensor& x, DType dtype) {
  return x.detach().to(dtype).contiguous().view({x.numel() / x.size(-1), x.size(-1)});
}
Tensor bias_of(const Tensor& bias, DType dtype) { return bias.detach().to(compute_dtype(dtype)).contiguous(); }

/// upstream * (P + x p) at x = input + bias, and its sum over the rows (undefined unless wanted). Linear in `upstream`.
Tensors bias_gelu_gradient(const Tensor& upstream, const Tensor& input, const Tensor& bias, bool sums) {
  const Operation operation{"bias_gelu_gradient"};
  const DType dtype = input.dtype();
  const Tensor gradient = Tensor::empty(input.shape(), input.options());
  const Tensor sum = sums ? zeros({input.size(-1)}, {compute_dtype(dtype), input.device()}) : Tensor();
  if (gradient.numel())
    on<cpu::bias_gelu_gradient, cuda::bias_gelu_gradient>(
        input.device(), BiasGeluGradient{rows_of(upstream, dtype), rows_of(input, dtype), bias_of(bias, dtype),
                                         rows_of(gradient, dtype), sum});
  const Tensors outputs{gradient, sums ? sum.to(bias.dtype()) : Tensor()};
  return record_all("GeluBackwardBackward0", outputs, {upstream, input, bias}, saved(upstream, input, bias),
                    [](const Tensors& gradients, const Saved& saved) -> Tensors {
                      const Tensor upstream = saved[0], input = saved[1], bias = saved[2];
                      Tensor arrived = gradients[0];
                      if (gradients[1].defined()) {
                        const Tensor repeated = gradients[1].to(input.dtype()).expand(input.shape());
                        arrived = arrived.defined() ? arrived + repeated : repeated;
                      }
                      const Tensor to_upstream = bias_gelu_gradient(arrived, input, bias, false)[0];
                      if (!saved.needs(1) && !saved.needs(2)) return {to_upstream, {}, {}};
                      const Tensor x = input + bias, square = x * x;
                      const Tensor curvature = exp(square * -0.5) * 0.39894228040143267794 * (2.0 - square);
                      const Tensor to_x = arrived * upstream * curvature;
                      return {to_upstream, to_x.to(input.dtype()), sum_to_shape(to_x, bias.shape()).to(bias.dtype())};
                    });
}

}  // namespace

Tensor bias_gelu(const Tensor& input, const Tensor& bias) {
  const Operation operation{"bias_gelu"};
  require(input.rank() > 0 && is_floating(input.dtype()), "bias_gelu",
          "input must be [..., width] of a floating dtype, got {} of {}", input.shape(), input.dtype());
  require(bias.rank() == 1 && bias.size(0) == input.size(-1) && is_floating(bias.dtype()), "bias_gelu",
          "bias must be [{}] of a floating dtype, got {} of {}", input.size(-1), bias.shape(), bias.dtype());
  require_same_device("bias_gelu", {&input, &bias});
  const Tensor result = Tensor::empty(input.shape(), input.options());
  const DType dtype = input.dtype();
  if (result.numel())
    on<cpu::bias_gelu, cuda::bias_gelu>(input.device(), rows_of(input, dtype), bias_of(bias, dtype),
                                        rows_of(result, dtype));
  return record("GeluBackward0", result, {input, bias}, saved(input, bias),
                [](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return bias_gelu_gradient(gradients[0], saved[0], saved[1], saved.needs(1));
                });
}

}  // namespace percale
