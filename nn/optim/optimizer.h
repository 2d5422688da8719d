// What all optimizers share: groups of parameters, learning rates, and state that a checkpoint keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../../core/autograd.h"
#include "../../core/tensor.h"
#include "../state_dict.h"

namespace percale::optim {

/// Parameters that are trained with options of their own.
template <class Options>
struct ParameterGroup {
  Tensors parameters;
  Options options = {};
};

/// Base of the optimizers. One multi-tensor kernel a group and step; parameters without a gradient are left alone.
///
/// Of a table whose gradient is row-sparse (`EmbeddingOptions::sparse`), only the rows that were used are moved, and
/// their state: kernels/sparse_optimizer states what that means for momentum, moments and decay.
///
/// `step()` and `zero_grad()` may be part of a captured step (`Graph::capture`): step counts and learning rates lie in
/// the parameters' device's memory, where a replay reads them; `set_lr` and schedules belong between the calls of a
/// captured step. Not for several threads at once.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Moves every parameter that has a gradient. Error for one that has both a dense and a row-sparse one.
  void step();
  /// Forgets the gradients, or fills them with zeros. Forgotten, their memory goes back to the pool from which the next
  /// `backward` takes it: a steady loop asks the system for nothing, and gradients need not be added to zeros first.
  void zero_grad(bool set_to_none = true);

  size_t groups() const { return groups_.size(); }
  const Tensors& parameters(size_t group = 0) const { return groups_.at(group).parameters; }
  double lr(size_t group = 0) const { return groups_.at(group).lr; }
  /// The learning rate of all groups, or of one, from the next step on.
  void set_lr(double lr);
  void set_lr(size_t group, double lr);
  /// The learning rate of a group when its first schedule was made (now, if there is none): what schedules go by.
  double initial_lr(size_t group);

  /// Learning rates, step counts and the state of each parameter (`state.3.exp_avg`), contiguous on the CPU.
  nn::StateDict state_dict();
  /// Takes up `state` of an optimizer of the same parameters and options; errors as Module::load_state_dict.
  void load_state_dict(const nn::StateDict& state);

 protected:
  struct Slot {
    std::string name;      ///< `exp_avg`
    double first = 0;      ///< what every element starts with
    Tensors tensors = {};  ///< one a parameter, in its strides
  };
  struct Group {
    Tensors parameters;
    double lr;
    std::optional<double> initial_lr;
    std::vector<Slot> slots;
    Tensor rate;   ///< f64: `lr` where the kernel reads it
    Tensor steps;  ///< f64: how many steps each parameter has taken
  };

  Optimizer(const char* name) : name_(name) {}
  /// @param slots what is kept of each parameter: names and first values.
  void add_group(const Tensors& parameters, double lr, const std::vector<Slot>& slots);
  virtual void step_group(size_t index, const Group& group, const Tensors& gradients) = 0;
  /// One step of parameter `i`, a table, on the rows that were used.
  virtual void step_rows(size_t index, const Group& group, size_t i, const std::vector<RowGradient>& rows) = 0;
  /// How many steps parameter `i` has taken, where a step counts it up.
  static Tensor steps_of(const Group& group, size_t i);

 private:
  void prepare(Group& group);
  nn::StateDict named_state();

  const char* name_;
  std::vector<Group> groups_;
};

}  // namespace percale::optim
