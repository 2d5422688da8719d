#include "sgd.h"

#include "../../kernels/optimizer/optimizer.h"

namespace percale::optim {

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
  const SGDOptions& options = options_[index];
  sgd_step(group.parameters, gradients, group.slots.empty() ? Tensors() : group.slots[0].tensors, group.rate, group.steps,
           {.momentum = options.momentum, .dampening = options.dampening, .weight_decay = options.weight_decay,
            .nesterov = options.nesterov, .maximize = options.maximize});
}

}  // namespace percale::optim
