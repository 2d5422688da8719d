#include "adam.h"

#include "../../kernels/optimizer/optimizer.h"
#include "../../kernels/sparse_optimizer/sparse_optimizer.h"

namespace percale::optim {
namespace {

std::vector<ParameterGroup<AdamOptions>> as_adam(const std::vector<ParameterGroup<AdamWOptions>>& groups) {
  std::vector<ParameterGroup<AdamOptions>> result;
  for (const auto& [parameters, options] : groups)
    result.push_back({parameters,
                      {.lr = options.lr,
                       .betas = options.betas,
                       .eps = options.eps,
                       .weight_decay = options.weight_decay,
                       .amsgrad = options.amsgrad,
                       .maximize = options.maximize}});
  return result;
}

percale::AdamOptions step_options(const AdamOptions& options, bool decoupled) {
  return {.beta1 = options.betas.first,
          .beta2 = options.betas.second,
          .eps = options.eps,
          .weight_decay = options.weight_decay,
          .decoupled = decoupled,
          .maximize = options.maximize};
}

}  // namespace

Adam::Adam(const char* name, const std::vector<ParameterGroup<AdamOptions>>& groups, bool decoupled)
    : Optimizer(name), decoupled_(decoupled) {
  for (const auto& [parameters, options] : groups) {
    const auto [beta1, beta2] = options.betas;
    require(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, name, "betas must be in [0, 1), got {} and {}", beta1,
            beta2);
    require(options.eps >= 0 && options.weight_decay >= 0, name,
            "eps and weight_decay cannot be negative, got {} and {}", options.eps, options.weight_decay);
    std::vector<Slot> slots = {{"exp_avg"}, {"exp_avg_sq"}};
    if (options.amsgrad) slots.push_back({"max_exp_avg_sq"});
    add_group(parameters, options.lr, slots);
    options_.push_back(options);
  }
}

Adam::Adam(const std::vector<ParameterGroup<AdamOptions>>& groups) : Adam("Adam", groups, false) {}
Adam::Adam(const Tensors& parameters, const AdamOptions& options) : Adam({{parameters, options}}) {}

AdamW::AdamW(const std::vector<ParameterGroup<AdamWOptions>>& groups) : Adam("AdamW", as_adam(groups), true) {}
AdamW::AdamW(const Tensors& parameters, const AdamWOptions& options) : AdamW({{parameters, options}}) {}

void Adam::step_group(size_t index, const Group& group, const Tensors& gradients) {
  const AdamOptions& options = options_[index];
  adam_step(group.parameters, gradients, group.slots[0].tensors, group.slots[1].tensors,
            options.amsgrad ? group.slots[2].tensors : Tensors(), group.rate, group.steps,
            step_options(options, decoupled_));
}

void Adam::step_rows(size_t index, const Group& group, size_t i, const std::vector<RowGradient>& rows) {
  const AdamOptions& options = options_[index];
  sparse_adam_step(group.parameters[i], rows, group.slots[0].tensors[i], group.slots[1].tensors[i],
                   options.amsgrad ? group.slots[2].tensors[i] : Tensor(), group.rate, steps_of(group, i),
                   step_options(options, decoupled_));
}

}  // namespace percale::optim
