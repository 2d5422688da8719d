#include "module.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>

#include "../core/autograd.h"

namespace percale::nn {

struct Module::State {
  template <class T>
  using Named = std::vector<std::pair<std::string, T>>;

  std::string type, description;
  Named<Tensor> parameters, buffers;
  Named<Module> children;
  bool training = true;
  std::vector<std::pair<uint64_t, ForwardPreHook>> pre_hooks;
  std::vector<std::pair<uint64_t, ForwardHook>> forward_hooks;
  uint64_t next_hook = 0;
};

namespace {

/// `percale::nn::Linear` is printed as `Linear`.
std::string class_name(const std::type_info& type) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? demangled : type.name();
  std::free(demangled);
  if (name.ends_with('>')) {  // without a template's arguments
    size_t open = name.size() - 1;
    for (int depth = 1; depth > 0 && open > 0;) {
      --open;
      depth += name[open] == '>' ? 1 : name[open] == '<' ? -1 : 0;
    }
    name.resize(open);
  }
  const size_t scope = name.rfind("::");
  return scope == std::string::npos ? name : name.substr(scope + 2);
}

/// Puts `value` under `name`, in the place of one that has this name already.
template <class T>
void put(std::vector<std::pair<std::string, T>>& entries, const std::string& name, const T& value) {
  require(!name.empty() && name.find('.') == std::string::npos, "add", "a name is not empty and has no dot, got '{}'",
          name);
  auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == entries.end())
    entries.emplace_back(name, value);
  else
    found->second = value;
}

bool contains(const std::vector<std::pair<std::string, Tensor>>& entries, const Tensor& tensor) {
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.second.is_same(tensor); });
}

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

template <class Hooks>
void erase_hook(Hooks& hooks, uint64_t id) {
  std::erase_if(hooks, [id](const auto& entry) { return entry.first == id; });
}

/// A part's text, its later lines moved to the right.
std::string indented(const std::string& text) {
  std::string result;
  for (const char c : text) {
    result += c;
    if (c == '\n') result += "  ";
  }
  return result;
}

/// `tensor` becomes what `convert` makes of its elements and of its gradient's.
template <class Convert>
void convert_in_place(const Tensor& tensor, Convert convert) {
  const NoGradGuard no_grad;
  tensor.set_data(convert(tensor.detach()));
  if (const Tensor gradient = tensor.grad(); gradient.defined()) tensor.set_grad(convert(gradient));
}

}  // namespace

/// Walks over modules and their names, each module once.
struct ModuleAccess {
  using Visit = std::function<void(const std::string& prefix, Module::State& state)>;

  static void walk(const Module& module, const std::string& prefix, std::vector<const void*>& seen,
                   const Visit& visit) {
    if (std::find(seen.begin(), seen.end(), module.state_.get()) != seen.end()) return;
    seen.push_back(module.state_.get());
    visit(prefix, *module.state_);
    for (const auto& [name, child] : module.state_->children) walk(child, prefix + name + ".", seen, visit);
  }
  static void walk(const Module& module, const Visit& visit) {
    std::vector<const void*> seen;
    walk(module, "", seen, visit);
  }
  static void name_modules(const Module& module, const std::string& name,
                           std::vector<std::pair<std::string, Module>>& named) {
    for (const auto& entry : named)
      if (entry.second.is_same(module)) return;
    named.emplace_back(name, module);
    for (const auto& [part, child] : module.state_->children)
      name_modules(child, name.empty() ? part : name + "." + part, named);
  }
  /// Every tensor under every name that leads to it: what is saved.
  static void name_tensors(const Module& module, const std::string& prefix,
                           std::vector<std::pair<std::string, Tensor>>& named) {
    for (const auto* entries : {&module.state_->parameters, &module.state_->buffers})
      for (const auto& [name, tensor] : *entries) named.emplace_back(prefix + name, tensor);
    for (const auto& [name, child] : module.state_->children) name_tensors(child, prefix + name + ".", named);
  }
  static std::vector<std::pair<std::string, Tensor>> named_tensors(const Module& module) {
    std::vector<std::pair<std::string, Tensor>> named;
    name_tensors(module, "", named);
    return named;
  }
};

void HookHandle::remove() {
  if (remove_) std::exchange(remove_, nullptr)();
}

Module::Module(const std::type_info& type) : state_(std::make_shared<State>()) { state_->type = class_name(type); }

const std::string& Module::type() const { return state_->type; }
void Module::describe(std::string text) const { state_->description = std::move(text); }

void Module::add_part(const std::string& name, const Module& part) const {
  for (const auto& [inner, module] : part.named_modules())
    require(!module.is_same(*this), "add", "{} cannot be a part of itself", type());
  put(state_->children, name, part);
}

Parameter Module::add(const std::string& name, const Tensor& parameter) const {
  if (!parameter.defined()) return {};
  parameter.requires_grad_();
  put(state_->parameters, name, parameter);
  return Parameter(parameter);
}

Parameter Module::add_buffer(const std::string& name, const Tensor& buffer) const {
  put(state_->buffers, name, buffer);
  return Parameter(buffer);
}

std::vector<std::pair<std::string, Tensor>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Tensor>> named;
  ModuleAccess::walk(*this, [&](const std::string& prefix, State& state) {
    for (const auto& [name, tensor] : state.parameters)
      if (!contains(named, tensor)) named.emplace_back(prefix + name, tensor);
  });
  return named;
}

std::vector<std::pair<std::string, Tensor>> Module::named_buffers() const {
  std::vector<std::pair<std::string, Tensor>> named;
  ModuleAccess::walk(*this, [&](const std::string& prefix, State& state) {
    for (const auto& [name, tensor] : state.buffers)
      if (!contains(named, tensor)) named.emplace_back(prefix + name, tensor);
  });
  return named;
}

Tensors Module::parameters() const {
  Tensors result;
  for (auto& [name, tensor] : named_parameters()) result.push_back(std::move(tensor));
  return result;
}

std::vector<std::pair<std::string, Module>> Module::named_modules() const {
  std::vector<std::pair<std::string, Module>> named;
  ModuleAccess::name_modules(*this, "", named);
  return named;
}

const std::vector<std::pair<std::string, Module>>& Module::named_children() const { return state_->children; }

Module Module::get_submodule(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& [known, module] : named_modules()) {
    if (known == name) return module;
    if (!known.empty()) names.push_back(known);
  }
  fail("get_submodule", "{} has no '{}', but {}", {type(), name, join(names)});
}

StateDict Module::state_dict() const {
  StateDict state = ModuleAccess::named_tensors(*this);
  for (auto& [name, tensor] : state) tensor = saved_copy(tensor);
  return state;
}

void Module::load_state_dict(const StateDict& state, bool strict) const {
  load_by_name(type(), ModuleAccess::named_tensors(*this), state, strict);
}

void Module::to(Device device) const {
  for (const auto& [name, tensor] : ModuleAccess::named_tensors(*this))
    if (tensor.device() != device) convert_in_place(tensor, [&](const Tensor& value) { return value.to(device); });
}

void Module::to(DType dtype) const {
  require(is_floating(dtype), "to", "parameters are floating-point numbers, {} is not", dtype);
  for (const auto& [name, tensor] : ModuleAccess::named_tensors(*this))
    if (is_floating(tensor.dtype()) && tensor.dtype() != dtype)
      convert_in_place(tensor, [&](const Tensor& value) { return value.to(dtype); });
}

void Module::train(bool mode) const {
  ModuleAccess::walk(*this, [&](const std::string&, State& state) { state.training = mode; });
}

bool Module::training() const { return state_->training; }

void Module::requires_grad_(bool value) const {
  for (const Tensor& parameter : parameters()) parameter.requires_grad_(value);
}

void Module::zero_grad(bool set_to_none) const {
  for (const Tensor& parameter : parameters()) {
    clear_row_gradients(parameter);
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    if (set_to_none)
      parameter.set_grad({});
    else
      gradient.detach().zero_();
  }
}

void Module::apply(const std::function<void(const Module&)>& function) const {
  for (const auto& [name, child] : state_->children) child.apply(function);
  function(*this);
}

HookHandle Module::register_forward_pre_hook(ForwardPreHook hook) const {
  const uint64_t id = state_->next_hook++;
  state_->pre_hooks.emplace_back(id, std::move(hook));
  return HookHandle([id, weak = std::weak_ptr(state_)] {
    if (const auto state = weak.lock()) erase_hook(state->pre_hooks, id);
  });
}

HookHandle Module::add_forward_hook(ForwardHook hook) const {
  const uint64_t id = state_->next_hook++;
  state_->forward_hooks.emplace_back(id, std::move(hook));
  return HookHandle([id, weak = std::weak_ptr(state_)] {
    if (const auto state = weak.lock()) erase_hook(state->forward_hooks, id);
  });
}

bool Module::has_hooks() const { return !state_->pre_hooks.empty() || !state_->forward_hooks.empty(); }

void Module::call_pre_hooks(const Tensors& inputs) const {
  const auto hooks = state_->pre_hooks;  // a hook may remove itself
  for (const auto& [id, hook] : hooks) hook(*this, inputs);
}

Tensors Module::call_forward_hooks(const Tensors& inputs, Tensors outputs) const {
  const auto hooks = state_->forward_hooks;
  for (const auto& [id, hook] : hooks) {
    Tensors replacement = hook(*this, inputs, outputs);
    if (replacement.empty()) continue;
    require(replacement.size() == outputs.size(), "forward hook", "{} has {} outputs, the hook returned {}", type(),
            outputs.size(), replacement.size());
    outputs = std::move(replacement);
  }
  return outputs;
}

std::string to_text(const Module& module) {
  const Module::State& state = *module.state_;
  if (state.children.empty()) return state.type + "(" + state.description + ")";
  std::string text = state.type + "(\n";
  if (!state.description.empty()) text += "  " + state.description + "\n";
  const auto& children = state.children;
  for (size_t i = 0; i < children.size();) {
    const std::string part = to_text(children[i].second), first = children[i].first;
    size_t next = i + 1;
    if (state.type == "ModuleList")  // blocks that repeat themselves are counted
      while (next < children.size() && to_text(children[next].second) == part) ++next;
    text += "  (" + first;
    if (next > i + 1)
      text += format_text("-{}): {} x ", {children[next - 1].first, std::to_string(next - i)});
    else
      text += "): ";
    text += indented(part) + "\n";
    i = next;
  }
  return text + ")";
}

std::ostream& operator<<(std::ostream& stream, const Module& module) { return stream << to_text(module); }

}  // namespace percale::nn
