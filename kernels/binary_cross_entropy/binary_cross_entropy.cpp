#include "binary_cross_entropy.h"

#include <limits>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "../reduction/reduction.h"
#include "binary_cross_entropy_twins.h"

namespace percale {
namespace {

/// d loss / d input of each element by operations, for a gradient that is itself to be derived.
Tensor slope(BinaryLoss kind, const Tensor& x, const Tensor& t) {
  if (kind == BinaryLoss::probabilities)
    return div(sub(x, t), maximum(mul(x, sub(1, x)), full({}, 1e-12, x.options())));
  const Tensor s = sigmoid(x);
  if (kind == BinaryLoss::logits) return sub(s, t);
  return mul(mul(mul(sub(s, t), 2), s), sub(1, s));
}

Tensor fused_gradient(BinaryLoss kind, const Tensor& upstream, const Tensor& input, const Tensor& target, bool each,
                      double factor) {
  const Operation operation{"binary_loss_gradient"};
  const Tensor x = dense(input), t = laid_out_as(x, target), result = Tensor::empty_like(x);
  const Tensor gradient = each ? laid_out_as(x, upstream) : upstream.detach().to(x.dtype());
  if (result.numel())
    on<cpu::binary_loss_gradient, cuda::binary_loss_gradient>(x.device(), kind, gradient, x, t, result, each, factor);
  return result;
}

void check(const char* operation, const Tensor& input, const Tensor& target) {
  require(input.shape() == target.shape(), operation,
          "input {} and target {} differ in shape; expand() one if that is meant", input.shape(), target.shape());
  require(is_floating(input.dtype()) && input.dtype() == target.dtype(), operation,
          "needs floating-point numbers of one dtype, got {} and {}", input.dtype(), target.dtype());
  require(!target.requires_grad(), operation, "the target cannot have a gradient; detach() it");
  require_same_device(operation, {&input, &target});
}

Tensor loss_of(const char* name, BinaryLoss kind, const Tensor& input, const Tensor& target, Reduction reduction) {
  const bool each = reduction == Reduction::none;
  const Tensor x = dense(input), t = laid_out_as(x, target);
  const Tensor loss = each ? Tensor::empty_like(x) : Tensor::empty({}, x.options());
  const double divisor = reduction == Reduction::mean ? static_cast<double>(x.numel()) : 1;
  if (x.numel())
    on<cpu::binary_loss, cuda::binary_loss>(x.device(), kind, x, t, loss, each, divisor);
  else
    fill(loss, reduction == Reduction::mean ? std::numeric_limits<double>::quiet_NaN() : 0);
  return record(name, loss.to(input.dtype()), {input}, saved(input, target),
                [kind, each, factor = 1 / divisor](const Tensors& gradients, const Saved& saved) -> Tensors {
                  if (!grad_enabled()) return {fused_gradient(kind, gradients[0], saved[0], saved[1], each, factor)};
                  return {mul(mul(slope(kind, saved[0], saved[1]), factor), gradients[0])};
                });
}

/// Losses of each element, times their weights, reduced by operations.
Tensor weighted(const Tensor& losses, const Tensor& weight, Reduction reduction) {
  const Tensor products = weight.defined() ? mul(losses, weight) : losses;
  return reduction == Reduction::none ? products : reduction == Reduction::mean ? mean(products) : sum(products);
}

}  // namespace

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight, Reduction reduction) {
  const Operation operation{"binary_cross_entropy"};
  check("binary_cross_entropy", input, target);
  auto loss = [&](Reduction how) {
    return loss_of("BinaryCrossEntropyBackward0", BinaryLoss::probabilities, input, target, how);
  };
  return weight.defined() ? weighted(loss(Reduction::none), weight, reduction) : loss(reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, Reduction reduction) {
  const Operation operation{"binary_cross_entropy_with_logits"};
  check("binary_cross_entropy_with_logits", logits, target);
  auto loss = [&](const Tensor& answers, Reduction how) {
    return loss_of("BinaryCrossEntropyWithLogitsBackward0", BinaryLoss::logits, logits, answers, how);
  };
  if (!weight.defined() && !pos_weight.defined()) return loss(target, reduction);
  Tensor losses = loss(target, Reduction::none);
  if (pos_weight.defined()) {
    // The share t of a target counts p times: L(x, t) + (p - 1) t L(x, 1).
    losses = add(losses, mul(mul(sub(pos_weight, 1), target), loss(ones_like(target), Reduction::none)));
  }
  return weighted(losses, weight, reduction);
}

Tensor sigmoid_mse_loss(const Tensor& logits, const Tensor& target, Reduction reduction) {
  const Operation operation{"sigmoid_mse_loss"};
  check("sigmoid_mse_loss", logits, target);
  return loss_of("SigmoidMseLossBackward0", BinaryLoss::squared_sigmoid, logits, target, reduction);
}

}  // namespace percale
