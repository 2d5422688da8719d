#include "mse.h"

#include <limits>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/precision.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "mse_twins.h"

namespace percale {
namespace {

Tensor fused_gradient(const Tensor& upstream, const Tensor& input, const Tensor& target, bool each, double factor) {
  const Operation operation{"mse_loss_gradient"};
  const Tensor a = dense(input), b = laid_out_as(a, target), result = Tensor::empty_like(a);
  const Tensor gradient = each ? laid_out_as(a, upstream) : upstream.detach().to(a.dtype());
  if (result.numel())
    on<cpu::squared_error_gradient, cuda::squared_error_gradient>(a.device(), gradient, a, b, result, each, factor);
  return result;
}

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  const Operation operation{"mse_loss"};
  require(input.shape() == target.shape(), "mse_loss",
          "input {} and target {} differ in shape; expand() one if that is meant", input.shape(), target.shape());
  require(is_floating(input.dtype()) && input.dtype() == target.dtype(), "mse_loss",
          "needs floating-point numbers of one dtype, got {} and {}", input.dtype(), target.dtype());
  require_same_device("mse_loss", {&input, &target});
  const bool each = reduction == Reduction::none;
  const Tensor a = dense(input), b = laid_out_as(a, target);
  const Tensor loss = each ? Tensor::empty_like(a) : Tensor::empty({}, a.options());
  const auto count = static_cast<double>(a.numel());
  const double divisor = reduction == Reduction::mean ? count : 1;
  if (a.numel())
    on<cpu::squared_error, cuda::squared_error>(a.device(), a, b, loss, each, divisor);
  else
    fill(loss, reduction == Reduction::mean ? std::numeric_limits<double>::quiet_NaN() : 0);
  const Tensor result = current_precision() == Precision::bf16 ? loss : loss.to(input.dtype());
  return record("MseLossBackward0", result, {input, target}, saved(input, target),
                [each, factor = 2 / divisor](const Tensors& gradients, const Saved& saved) -> Tensors {
                  const Tensor input = saved[0], target = saved[1];
                  const Tensor own = grad_enabled() ? (input - target) * factor * gradients[0]
                                                    : fused_gradient(gradients[0], input, target, each, factor);
                  return {saved.needs(0) ? own : Tensor(), saved.needs(1) ? neg(own) : Tensor()};
                });
}

}  // namespace percale
