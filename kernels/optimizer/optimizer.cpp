#include "optimizer.h"

#include <cmath>

#include "../../core/dispatch.h"
#include "../../core/primitives.h"
#include "../../core/rounded_copy.h"
#include "../../core/trace.h"
#include "../common/strided.h"
#include "optimizer_twins.h"

namespace percale {
namespace {

/// True if both are one run of memory whose elements stand in the same order.
bool same_order(const Tensor& a, const Tensor& b) {
  return a.numel() == 0 || strided_walk<2>(a.shape(), {a.strides(), b.strides()}).is_dense();
}

/// A step's parameters: what each twin needs to know of their memory, and what must live until the twin is done.
struct Step {
  const char* operation;
  const Tensors& parameters;
  const Tensors& gradients;
  std::vector<const Tensors*> states;
  const Tensor& learning_rate;
  const Tensor& steps;
  ParameterSpans spans = {};
  Tensors reordered = {};

  bool empty() const { return spans.empty(); }
  DType dtype() const { return parameters[0].dtype(); }
  Device device() const { return parameters[0].device(); }

  void check() const {
    require(gradients.size() == parameters.size(), operation, "{} gradients for {} parameters", gradients.size(),
            parameters.size());
    for (const Tensors* state : states)
      require(state->size() == parameters.size(), operation, "{} state tensors for {} parameters", state->size(),
              parameters.size());
    if (parameters.empty()) return;
    require(dtype() == f32 || dtype() == f64, operation, "parameters must be f32 or f64, got {}", dtype());
    require(learning_rate.defined() && learning_rate.dtype() == f64 && learning_rate.numel() == 1 &&
                learning_rate.device() == device(),
            operation, "the learning rate must be one f64 on {}", device());
    require(steps.defined() && steps.dtype() == f64 && steps.is_contiguous() && steps.device() == device() &&
                steps.numel() == static_cast<int64_t>(parameters.size()),
            operation, "steps must be {} numbers of f64 on {}, one a parameter", parameters.size(), device());
  }

  void check(size_t i, const Tensor& other, const char* what) const {
    const Tensor& parameter = parameters[i];
    require(other.shape() == parameter.shape() && other.dtype() == dtype() && other.device() == device(), operation,
            "parameter {} is {} of {} on {}, its {} is {} of {} on {}", i, parameter.shape(), parameter.dtype(),
            parameter.device(), what, other.shape(), other.dtype(), other.device());
  }

  /// Collects the memory of every parameter that has a gradient.
  Step& gather() {
    check();
    for (size_t i = 0; i < parameters.size(); ++i) {
      const Tensor& parameter = parameters[i];
      Tensor gradient = gradients[i];
      if (!gradient.defined()) continue;
      check(i, parameter, "first one");
      check(i, gradient, "gradient");
      require(parameter.is_dense(), operation, "parameter {} of shape {} is not dense", i, parameter.shape());
      if (!same_order(parameter, gradient)) {
        gradient = Tensor::empty_strided(parameter.shape(), parameter.strides(), parameter.options());
        copy(gradients[i], gradient);
        reordered.push_back(gradient);
      }
      ParameterSpan span{.parameter = parameter.data(),
                         .rounded = rounded_data(parameter),
                         .gradient = gradient.data(),
                         .count = parameter.numel(),
                         .step = steps.data<double>() + i};
      for (size_t k = 0; k < states.size(); ++k) {
        const Tensor& state = (*states[k])[i];
        check(i, state, "state");
        require(same_order(parameter, state), operation, "parameter {} and its state differ in strides", i);
        span.states[k] = state.data();
      }
      spans.push_back(span);
    }
    return *this;
  }

  void mark_written() const {
    steps.mark_written(operation);
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!gradients[i].defined()) continue;
      mark_written_with_rounded(parameters[i], operation);
      for (const Tensors* state : states) (*state)[i].mark_written(operation);
    }
  }
};

/// Gradients alone, for the norm and what follows from it. `first` is the first defined one.
struct Gradients {
  ParameterSpans spans;
  Tensor first;

  Gradients(const char* operation, const Tensors& gradients) {
    for (const Tensor& gradient : gradients) {
      if (!gradient.defined()) continue;
      if (!first.defined()) first = gradient;
      require(gradient.dtype() == f32 || gradient.dtype() == f64, operation, "gradients must be f32 or f64, got {}",
              gradient.dtype());
      require(gradient.dtype() == first.dtype() && gradient.device() == first.device(), operation,
              "gradients must share dtype and device, got {} on {} and {} on {}", first.dtype(), first.device(),
              gradient.dtype(), gradient.device());
      require(gradient.is_dense(), operation, "a gradient of shape {} is not dense", gradient.shape());
      spans.push_back({.parameter = gradient.data(), .count = gradient.numel()});
    }
  }
};

void mark_written(const char* operation, const Tensors& gradients) {
  for (const Tensor& gradient : gradients)
    if (gradient.defined()) gradient.mark_written(operation);
}

}  // namespace

void sgd_step(const Tensors& parameters, const Tensors& gradients, const Tensors& momentum_buffers,
              const Tensor& learning_rate, const Tensor& steps, const SgdOptions& options) {
  const Operation operation{"sgd_step"};
  require(!options.nesterov || (options.momentum > 0 && options.dampening == 0), "sgd_step",
          "nesterov needs momentum above 0 and no dampening, got {} and {}", options.momentum, options.dampening);
  Step step{"sgd_step", parameters, gradients, {}, learning_rate, steps};
  if (options.momentum != 0) step.states = {&momentum_buffers};
  if (step.gather().empty()) return;
  on<cpu::sgd_step, cuda::sgd_step>(step.device(), step.spans, step.dtype(), learning_rate, options);
  step.mark_written();
}

void adagrad_step(const Tensors& parameters, const Tensors& gradients, const Tensors& sums, const Tensor& learning_rate,
                  const Tensor& steps, const AdagradOptions& options) {
  const Operation operation{"adagrad_step"};
  Step step{"adagrad_step", parameters, gradients, {&sums}, learning_rate, steps};
  if (step.gather().empty()) return;
  on<cpu::adagrad_step, cuda::adagrad_step>(step.device(), step.spans, step.dtype(), learning_rate, options);
  step.mark_written();
}

void adam_step(const Tensors& parameters, const Tensors& gradients, const Tensors& exp_avgs, const Tensors& exp_avg_sqs,
               const Tensors& max_exp_avg_sqs, const Tensor& learning_rate, const Tensor& steps,
               const AdamOptions& options) {
  const Operation operation{"adam_step"};
  for (const double beta : {options.beta1, options.beta2})
    require(beta >= 0 && beta < 1, "adam_step", "betas must be in [0, 1), got {}", beta);
  Step step{"adam_step", parameters, gradients, {&exp_avgs, &exp_avg_sqs}, learning_rate, steps};
  if (!max_exp_avg_sqs.empty()) step.states.push_back(&max_exp_avg_sqs);
  if (step.gather().empty()) return;
  on<cpu::adam_step, cuda::adam_step>(step.device(), step.spans, step.dtype(), learning_rate, options);
  step.mark_written();
}

Tensor gradient_norm(const Tensors& gradients, double order) {
  const Operation operation{"gradient_norm"};
  require(order > 0, "gradient_norm", "the order must be positive, got {}", order);
  const Gradients all("gradient_norm", gradients);
  if (!all.first.defined()) {
    Tensor zero = Tensor::empty({});
    fill(zero, 0);
    return zero;
  }
  Tensor norm = Tensor::empty({}, all.first.options());
  on<cpu::gradient_norm, cuda::gradient_norm>(norm.device(), all.spans, order, norm);
  return norm;
}

void scale_to_norm(const Tensors& gradients, const Tensor& norm, double max_norm) {
  const Operation operation{"scale_to_norm"};
  const Gradients all("scale_to_norm", gradients);
  if (!all.first.defined()) return;
  require(norm.numel() == 1 && norm.dtype() == all.first.dtype() && norm.device() == all.first.device(),
          "scale_to_norm", "the norm must be one {} on {}, got {} of {} on {}", all.first.dtype(), all.first.device(),
          norm.shape(), norm.dtype(), norm.device());
  on<cpu::scale_to_norm, cuda::scale_to_norm>(norm.device(), all.spans, norm.dtype(), norm, max_norm);
  mark_written("scale_to_norm", gradients);
}

void clamp_gradients(const Tensors& gradients, double limit) {
  const Operation operation{"clamp_gradients"};
  require(limit >= 0, "clamp_gradients", "the limit must not be negative, got {}", limit);
  const Gradients all("clamp_gradients", gradients);
  if (!all.first.defined()) return;
  on<cpu::clamp_gradients, cuda::clamp_gradients>(all.first.device(), all.spans, all.first.dtype(), limit);
  mark_written("clamp_gradients", gradients);
}

}  // namespace percale
