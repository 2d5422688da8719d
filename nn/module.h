// What every layer and every model is: a handle on named parameters and named parts, which can be saved, moved,
// printed, hooked and called.
#pragma once

#include <concepts>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "../core/tensor.h"
#include "hook_tensors.h"
#include "state_dict.h"

namespace percale::nn {

/// A tensor that belongs to a module. Write into it (`copy_` under a NoGradGuard, `load_state_dict`): assigning another
/// tensor would leave the module with the old one, so it does not compile.
class Parameter : public Tensor {
 public:
  Parameter() = default;
  explicit Parameter(Tensor data) : Tensor(std::move(data)) {}
  Parameter(const Parameter&) = default;
  Parameter(Parameter&&) = default;
  Parameter& operator=(const Parameter&) = default;
  Parameter& operator=(Parameter&&) = default;
  Parameter& operator=(const Tensor&) = delete;
};

class Module;

/// Called before a module's forward.
using ForwardPreHook = std::function<void(const Module& module, const Tensors& inputs)>;
/// Called after it; tensors that it returns (if any) take the place of the outputs.
using ForwardHook = std::function<Tensors(const Module& module, const Tensors& inputs, const Tensors& outputs)>;

/// What takes a hook away again. Letting go of the handle leaves the hook where it is, as in PyTorch.
class HookHandle {
 public:
  HookHandle() = default;
  explicit HookHandle(std::function<void()> remove) : remove_(std::move(remove)) {}
  /// Takes the hook away; a second time, nothing happens.
  void remove();

 private:
  std::function<void()> remove_;
};

/// A handle on a module: copies share parameters, hooks and mode, as copies of a Tensor share elements.
///
/// Calling one model from many threads is safe while no thread changes it (trains, loads, moves, hooks it, switches its
/// mode). Own models and layers derive from ModuleOf, which makes them callable:
///
///     struct Classifier : nn::ModuleOf<Classifier> {
///       nn::Linear hidden = add("hidden", nn::Linear(784, 128));
///       nn::Linear output = add("output", nn::Linear(128, 10));
///       Tensor forward(const Tensor& x) const { return output(hidden.relu(x)); }
///     };
class Module {
 public:
  /// The class's name, as it is printed: `Linear`.
  const std::string& type() const;

  /// Registers a part under `name` (in place of one of that name) and returns it.
  template <std::derived_from<Module> Part>
  Part add(const std::string& name, Part part) const {
    add_part(name, part);
    return part;
  }
  /// Registers a tensor to be trained, and returns it. An undefined one (a bias that is not there) is passed through.
  Parameter add(const std::string& name, const Tensor& parameter) const;
  /// Registers a tensor that is saved and moved, but not trained.
  Parameter add_buffer(const std::string& name, const Tensor& buffer) const;

  /// All parameters of this module and its parts, in order of registration; one that is shared comes once.
  Tensors parameters() const;
  std::vector<std::pair<std::string, Tensor>> named_parameters() const;
  std::vector<std::pair<std::string, Tensor>> named_buffers() const;
  /// This module (under the empty name), its parts (`encoder`), theirs (`encoder.0`), and so on.
  std::vector<std::pair<std::string, Module>> named_modules() const;
  const std::vector<std::pair<std::string, Module>>& named_children() const;
  /// The part with a name as `named_modules` gives it; an error that lists the names for any other.
  Module get_submodule(const std::string& name) const;

  /// Copies of all parameters and buffers, contiguous and on the CPU.
  StateDict state_dict() const;
  /// Writes `state` into parameters and buffers (converted, moved, in their strides). An error that lists missing and
  /// unexpected names (unless not `strict`) and wrong shapes; then nothing is written.
  void load_state_dict(const StateDict& state, bool strict = true) const;

  /// Moves parameters, their gradients and buffers; whoever holds one of them sees it moved.
  void to(Device device) const;
  /// Converts floating-point parameters, their gradients and buffers.
  void to(DType dtype) const;
  /// Training mode for this module and its parts: Dropout drops.
  void train(bool mode = true) const;
  void eval() const { train(false); }
  bool training() const;
  /// Freezes all parameters (false) or thaws them.
  void requires_grad_(bool value = true) const;
  /// Forgets all gradients, or fills them with zeros.
  void zero_grad(bool set_to_none = true) const;
  /// Calls `function` with each module, parts first.
  void apply(const std::function<void(const Module&)>& function) const;

  HookHandle register_forward_pre_hook(ForwardPreHook hook) const;
  /// `hook(module, inputs, outputs)` after each forward of this module. It may return nothing, or a tensor or tensors
  /// to take the outputs' place. Fused layers run one by one while they have a hook, and give the same bytes.
  template <class Hook>
  HookHandle register_forward_hook(Hook hook) const {
    using Result = std::invoke_result_t<Hook&, const Module&, const Tensors&, const Tensors&>;
    return add_forward_hook([hook = std::move(hook)](const Module& module, const Tensors& inputs,
                                                     const Tensors& outputs) mutable -> Tensors {
      if constexpr (std::is_void_v<Result>) {
        hook(module, inputs, outputs);
        return {};
      } else if constexpr (std::is_convertible_v<Result, Tensor>) {
        return {hook(module, inputs, outputs)};
      } else {
        return hook(module, inputs, outputs);
      }
    });
  }
  bool has_hooks() const;

  /// True if both are handles on the same module.
  bool is_same(const Module& other) const { return state_ == other.state_; }

 protected:
  /// A module of the class `type`, without parts.
  explicit Module(const std::type_info& type);
  /// What is printed between the parentheses: `in_features=5, out_features=10, bias=True`.
  void describe(std::string text) const;

  void call_pre_hooks(const Tensors& inputs) const;
  Tensors call_forward_hooks(const Tensors& inputs, Tensors outputs) const;

 private:
  struct State;
  friend std::string to_text(const Module& module);
  friend struct ModuleAccess;

  void add_part(const std::string& name, const Module& part) const;
  HookHandle add_forward_hook(ForwardHook hook) const;

  std::shared_ptr<State> state_;
};

/// Base of layers and models: `struct SimpleCNN : nn::ModuleOf<SimpleCNN>` with a `forward(...) const`, which
/// `model(...)` calls with the hooks around it.
template <class Self>
class ModuleOf : public Module {
 public:
  ModuleOf() : Module(typeid(Self)) {}

  template <class... Inputs>
  auto operator()(const Inputs&... inputs) const {
    if (!has_hooks()) [[likely]]
      return self().forward(inputs...);
    const Tensors seen = hooks::tensors_of(inputs...);
    call_pre_hooks(seen);
    auto result = self().forward(inputs...);
    hooks::put_tensors(call_forward_hooks(seen, hooks::tensors_of(result)), result);
    return result;
  }

  // As Module's, and for a chain: `auto model = SimpleCNN().to(device);`
  template <class Target>
  Self to(Target target) const {
    Module::to(target);
    return self();
  }
  Self train(bool mode = true) const {
    Module::train(mode);
    return self();
  }
  Self eval() const { return train(false); }
  Self requires_grad_(bool value = true) const {
    Module::requires_grad_(value);
    return self();
  }

 private:
  const Self& self() const { return static_cast<const Self&>(*this); }
};

/// The module as PyTorch prints it: its class, what describes it, its parts a line each.
std::string to_text(const Module& module);
std::ostream& operator<<(std::ostream& stream, const Module& module);

}  // namespace percale::nn
