#include "adagrad.h"

#include "../../kernels/optimizer/optimizer.h"
#include "../../kernels/sparse_optimizer/sparse_optimizer.h"

namespace percale::optim {
namespace {

percale::AdagradOptions step_options(const AdagradOptions& options) {
  return {.lr_decay = options.lr_decay,
          .weight_decay = options.weight_decay,
          .eps = options.eps,
          .maximize = options.maximize};
}

}  // namespace

Adagrad::Adagrad(const Tensors& parameters, const AdagradOptions& options) : Adagrad({{parameters, options}}) {}

Adagrad::Adagrad(const std::vector<ParameterGroup<AdagradOptions>>& groups) : Optimizer("Adagrad") {
  for (const auto& [parameters, options] : groups) {
    require(options.lr_decay >= 0 && options.weight_decay >= 0 && options.initial_accumulator_value >= 0 &&
                options.eps >= 0,
            "Adagrad",
            "lr_decay, weight_decay, initial_accumulator_value and eps cannot be negative, got {}, {}, {} and {}",
            options.lr_decay, options.weight_decay, options.initial_accumulator_value, options.eps);
    add_group(parameters, options.lr, {{"sum", options.initial_accumulator_value}});
    options_.push_back(options);
  }
}

void Adagrad::step_group(size_t index, const Group& group, const Tensors& gradients) {
  adagrad_step(group.parameters, gradients, group.slots[0].tensors, group.rate, group.steps,
               step_options(options_[index]));
}

void Adagrad::step_rows(size_t index, const Group& group, size_t i, const std::vector<RowGradient>& rows) {
  sparse_adagrad_step(group.parameters[i], rows, group.slots[0].tensors[i], group.rate, steps_of(group, i),
                      step_options(options_[index]));
}

}  // namespace percale::optim
