#include "sgd.h"

#include "../../kernels/optimizer/optimizer.h"
#include "../../kernels/sparse_optimizer/sparse_optimizer.h"

namespace percale::optim {
namespace {

percale::SgdOptions step_options(const SGDOptions& options) {
  return {.momentum = options.momentum,
          .dampening = options.dampening,
          .weight_decay = options.weight_decay,
          .nesterov = options.nesterov,
          .maximize = options.maximize};
}

}  // namespace

SGD::SGD(const Tensors& parameters, const SGDOptions& options) : SGD({{parameters, options}}) {}

SGD::SGD(const std::vector<ParameterGroup<SGDOptions>>& groups) : Optimizer("SGD") {
  for (const auto& [parameters, options] : groups) {
    require(!options.nesterov || (options.momentum > 0 && options.dampening == 0), "SGD",
            "nesterov needs a momentum and no dampening, got {} and {}", options.momentum, options.dampening);
    add_group(parameters, options.lr,
              options.momentum != 0 ? std::vector<Slot>{{"momentum_buffer"}} : std::vector<Slot>{});
    options_.push_back(options);
  }
}

void SGD::step_group(size_t index, const Group& group, const Tensors& gradients) {
  sgd_step(group.parameters, gradients, group.slots.empty() ? Tensors() : group.slots[0].tensors, group.rate,
           group.steps, step_options(options_[index]));
}

void SGD::step_rows(size_t index, const Group& group, size_t i, const std::vector<RowGradient>& rows) {
  sparse_sgd_step(group.parameters[i], rows, group.slots.empty() ? Tensor() : group.slots[0].tensors[i], group.rate,
                  steps_of(group, i), step_options(options_[index]));
}

}  // namespace percale::optim
