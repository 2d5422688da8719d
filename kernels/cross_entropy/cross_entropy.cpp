#include "cross_entropy.h"

#include <limits>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/precision.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "../reduction/reduction.h"
#include "../softmax/softmax.h"
#include "cross_entropy_twins.h"

namespace percale {
namespace {

void check(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const char* name = "cross_entropy";
  require(is_floating(logits.dtype()), name, "logits must be floating-point numbers, got {}", logits.dtype());
  require(is_index(target.dtype()), name, "target must be i64 or i32, got {}", target.dtype());
  require(logits.rank() >= 1, name, "logits must be [N, C, ...] or [C], got {}", logits.shape());
  Shape expected = logits.shape();
  expected.erase(logits.rank() == 1 ? 0 : 1);
  require(target.shape() == expected, name, "logits {} want a target of shape {}, got {}", logits.shape(), expected,
          target.shape());
  const int64_t classes = logits.size(logits.rank() == 1 ? 0 : 1);
  require(classes > 0, name, "there are no classes in logits {}", logits.shape());
  require_same_device(name, {&logits, &target});
  require(options.label_smoothing >= 0 && options.label_smoothing <= 1, name, "label_smoothing must be 0 to 1, got {}",
          options.label_smoothing);
  if (!options.weight.defined()) return;
  require(options.weight.shape() == Shape{classes} && is_floating(options.weight.dtype()), name,
          "weight must be {} floating-point numbers, got {} of {}", Shape{classes}, options.weight.shape(),
          options.weight.dtype());
  require_same_device(name, {&logits, &options.weight});
}

/// The logits with positions in the target's row-major order: rows of classes, or classes apart.
Tensor arranged(const Tensor& logits) {
  const Tensor own = compute_dtype(logits.dtype()) == logits.dtype() ? logits.detach() : logits.detach().to(f32);
  return own.rank() == 4 && own.is_channels_last() ? own : own.contiguous();
}

CrossEntropy description_of(const Tensor& arranged, const CrossEntropyOptions& options) {
  const int64_t classes = arranged.size(1);
  const int64_t inner = classes == 1 ? 1 : arranged.stride(1);
  return {arranged.numel() / (classes * inner),
          classes,
          inner,
          options.ignore_index,
          options.label_smoothing,
          options.reduction};
}

/// The same gradient made of operations, so that it has gradients of its own: upstream * (softmax(x) sum(aim) - aim),
/// where `aim` is what a position wants of each class.
Tensor differentiable_gradient(const Tensor& upstream, const Tensor& logits, const Tensor& target, const Tensor& weight,
                               const Tensor& counted, const CrossEntropy& loss) {
  const Shape each_class = [&] {
    Shape shape = Shape::filled(logits.rank(), 1);
    shape[1] = loss.classes;
    return shape;
  }();
  const DType compute = compute_dtype(logits.dtype());
  Tensor aim;
  {
    const NoGradGuard constant;
    const Tensor chosen = target.unsqueeze(1),
                 classes = arange(0, static_cast<double>(loss.classes), 1, {i64, logits.device()});
    aim = eq(chosen, classes.reshape(each_class)).to(compute) * (1 - loss.smoothing) +
          loss.smoothing / static_cast<double>(loss.classes);
    if (weight.defined()) {
      const Tensor spread = weight.reshape(each_class);
      const Tensor hit = eq(chosen, classes.reshape(each_class)).to(compute);
      const Tensor of_chosen = sum(hit * spread, {1}, true);
      aim = hit * of_chosen * (1 - loss.smoothing) + spread * (loss.smoothing / static_cast<double>(loss.classes));
    }
    aim = aim * ne(chosen, loss.ignore_index).to(compute);
    if (loss.reduction == Reduction::mean) aim = aim / counted.reshape({});
  }
  const Tensor factor = upstream.rank() ? upstream.unsqueeze(1) : upstream;
  return factor * (softmax(logits, 1) * sum(aim, {1}, true) - aim);
}

/// Of logits [N, C, ...], in their dtype f32 or f64 when the twins are done.
Tensor fused_gradient(const Tensor& upstream, const Tensor& logits, const Tensor& target, const Tensor& weight,
                      const Tensor& statistics, const Tensor& counted, const CrossEntropy& loss) {
  const Operation operation{"cross_entropy_gradient"};
  const Tensor in = arranged(logits), result = Tensor::empty_like(in);
  const Tensor gradient = upstream.detach().to(in.dtype()).contiguous();
  const Tensor weight_sum = weight.defined() ? sum(weight) : Tensor();
  if (result.numel())
    on<cpu::cross_entropy_gradient, cuda::cross_entropy_gradient>(
        in.device(), CrossEntropyBackward{gradient, in, target, weight, weight_sum, statistics, counted, result}, loss);
  return result;
}

const char* name_of_gradient(const Tensor& logits, const CrossEntropyOptions& options) {
  if (options.label_smoothing > 0) return "AddBackward0";
  return logits.rank() > 2 ? "NllLoss2DBackward0" : "NllLossBackward0";
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const Operation operation{"cross_entropy"};
  check(logits, target, options);
  if (logits.rank() == 1) {
    const Tensor loss = cross_entropy(logits.unsqueeze(0), target.unsqueeze(0), options);
    return options.reduction == Reduction::none ? loss.reshape({}) : loss;
  }
  const Tensor in = arranged(logits), chosen = target.detach().to(i64).contiguous();
  const Tensor weight = options.weight.defined() ? options.weight.detach().to(in.dtype()).contiguous() : Tensor();
  const CrossEntropy description = description_of(in, options);
  const bool whole = options.reduction != Reduction::none;
  const Tensor loss = Tensor::empty(whole ? Shape{} : target.shape(), in.options());
  const Tensor statistics = Tensor::empty({2, description.positions()}, in.options()),
               counted = Tensor::empty({}, in.options());
  if (description.positions())
    on<cpu::cross_entropy, cuda::cross_entropy>(
        in.device(), CrossEntropyForward{in, chosen, weight, loss, statistics, counted}, description);
  else
    fill(loss, options.reduction == Reduction::mean ? std::numeric_limits<double>::quiet_NaN() : 0);
  // A loss under a guard of bf16 keeps its digits.
  const Tensor result = current_precision() == Precision::bf16 ? loss : loss.to(logits.dtype());
  return record(name_of_gradient(logits, options), result, {logits}, saved(logits, chosen, weight, statistics, counted),
                [description](const Tensors& gradients, const Saved& saved) -> Tensors {
                  if (grad_enabled())
                    return {differentiable_gradient(gradients[0], saved[0], saved[1], saved[2], saved[4], description)};
                  return {fused_gradient(gradients[0], saved[0], saved[1], saved[2], saved[3], saved[4], description)};
                });
}

}  // namespace percale
