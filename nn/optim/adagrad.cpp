#include "adagrad.h"

#include "../../kernels/optimizer/optimizer.h"

namespace percale::optim {

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
  const AdagradOptions& options = options_[index];
  adagrad_step(group.parameters, gradients, group.slots[0].tensors, group.rate, group.steps,
               {.lr_decay = options.lr_decay,
                .weight_decay = options.weight_decay,
                .eps = options.eps,
                .maximize = options.maximize});
}

}  // namespace percale::optim
