#include "optimizer.h"

#include <algorithm>

#include "../../core/autograd.h"
#include "../../kernels/fill/fill.h"

namespace percale::optim {

void Optimizer::add_group(const Tensors& parameters, double lr, const std::vector<Slot>& slots) {
  require(!parameters.empty(), name_, "there are no parameters to optimize");
  require(lr >= 0, name_, "the learning rate cannot be negative, got {}", lr);
  Group group{.parameters = {}, .lr = lr, .initial_lr = {}, .slots = slots, .rate = {}, .steps = {}};
  for (const Tensor& parameter : parameters) {
    require(parameter.is_leaf(), name_, "only leaves can be optimized, this is the output of {}", parameter.grad_fn());
    auto holds = [&](const Group& one) {
      return std::any_of(one.parameters.begin(), one.parameters.end(),
                         [&](const Tensor& other) { return parameter.is_same(other); });
    };
    require(!holds(group) && std::none_of(groups_.begin(), groups_.end(), holds), name_,
            "a parameter of shape {} comes twice", parameter.shape());
    group.parameters.push_back(parameter);
  }
  groups_.push_back(std::move(group));
}

/// State comes with the first step, where the parameters then lie, and follows them to another device.
void Optimizer::prepare(Group& group) {
  const Device device = group.parameters[0].device();
  if (!group.rate.defined()) {
    const auto count = static_cast<int64_t>(group.parameters.size());
    group.steps = zeros({count}, {f64, device});
    for (Slot& slot : group.slots)
      for (const Tensor& parameter : group.parameters) {
        slot.tensors.push_back(Tensor::empty_like(parameter.detach()));
        slot.tensors.back().fill_(slot.first);
      }
  } else if (group.rate.device() == device) {
    return;
  }
  group.rate = full({1}, group.lr, {f64, device});
  group.steps = group.steps.to(device);
  for (Slot& slot : group.slots)
    for (Tensor& tensor : slot.tensors) tensor = tensor.to(device);
}

void Optimizer::step() {
  const NoGradGuard no_grad;
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& group = groups_[i];
    Tensors gradients;
    bool any_dense = false, any_rows = false;
    for (const Tensor& parameter : group.parameters) {
      gradients.push_back(parameter.grad());
      const bool dense = gradients.back().defined(), rows = !row_gradients(parameter).empty();
      require(!dense || !rows, name_, "a table of shape {} has both a dense and a row-sparse gradient",
              parameter.shape());
      any_dense = any_dense || dense;
      any_rows = any_rows || rows;
    }
    if (!any_dense && !any_rows) continue;
    prepare(group);
    if (any_dense) step_group(i, group, gradients);
    for (size_t k = 0; any_rows && k < group.parameters.size(); ++k)
      if (const auto& rows = row_gradients(group.parameters[k]); !rows.empty()) step_rows(i, group, k, rows);
  }
}

Tensor Optimizer::steps_of(const Group& group, size_t i) {
  const auto at = static_cast<int64_t>(i);
  return group.steps.slice(0, at, at + 1);
}

void Optimizer::zero_grad(bool set_to_none) {
  for (const Group& group : groups_) {
    for (const Tensor& parameter : group.parameters) {
      clear_row_gradients(parameter);
      const Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      if (set_to_none)
        parameter.set_grad({});
      else
        gradient.detach().zero_();
    }
  }
}

void Optimizer::set_lr(double lr) {
  for (size_t i = 0; i < groups_.size(); ++i) set_lr(i, lr);
}

void Optimizer::set_lr(size_t index, double lr) {
  Group& group = groups_.at(index);
  require(lr >= 0, name_, "the learning rate cannot be negative, got {}", lr);
  require(!StepLog::current(), name_,
          "a learning rate set inside a captured step would be the same in every replay; set it between the steps");
  group.lr = lr;
  if (group.rate.defined()) group.rate.fill_(lr);
}

double Optimizer::initial_lr(size_t index) {
  Group& group = groups_.at(index);
  if (!group.initial_lr) group.initial_lr = group.lr;
  return *group.initial_lr;
}

nn::StateDict Optimizer::named_state() {
  nn::StateDict state;
  size_t index = 0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    prepare(groups_[g]);
    const std::string prefix = "group." + std::to_string(g);
    state.emplace_back(prefix + ".lr", groups_[g].rate);
    state.emplace_back(prefix + ".steps", groups_[g].steps);
    for (size_t i = 0; i < groups_[g].parameters.size(); ++i, ++index)
      for (const Slot& slot : groups_[g].slots)
        state.emplace_back("state." + std::to_string(index) + "." + slot.name, slot.tensors[i]);
  }
  return state;
}

nn::StateDict Optimizer::state_dict() {
  nn::StateDict state = named_state();
  for (auto& [name, tensor] : state) tensor = nn::saved_copy(tensor);
  return state;
}

void Optimizer::load_state_dict(const nn::StateDict& state) {
  nn::load_by_name(name_, named_state(), state, true);
  for (Group& group : groups_) group.lr = group.rate.item<double>();
}

}  // namespace percale::optim
