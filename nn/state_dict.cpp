#include "state_dict.h"

#include <unordered_map>

#include "../core/autograd.h"

namespace percale::nn {
namespace {

/// `; missing: a, b`, or nothing.
std::string complaint(const char* what, const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return items.empty() ? text : std::string("; ") + what + ": " + text;
}

}  // namespace

Tensor saved_copy(const Tensor& tensor) {
  const Tensor copy = tensor.detach().to(cpu_device).contiguous();
  return copy.storage() == tensor.storage() ? copy.clone() : copy;
}

void load_by_name(const std::string& owner, const StateDict& own, const StateDict& state, bool strict) {
  std::unordered_map<std::string, const Tensor*> given, targets;
  for (const auto& [name, tensor] : state) given[name] = &tensor;
  std::vector<std::string> missing, unexpected, wrong;
  std::vector<std::pair<Tensor, const Tensor*>> pairs;
  for (const auto& [name, target] : own) {
    targets[name] = &target;
    const auto found = given.find(name);
    if (found == given.end())
      missing.push_back(name);
    else if (found->second->shape() != target.shape())
      wrong.push_back(name + " expected " + text(target.shape()) + ", got " + text(found->second->shape()));
    else
      pairs.emplace_back(target, found->second);
  }
  for (const auto& [name, tensor] : state)
    if (!targets.contains(name)) unexpected.push_back(name);
  std::string problems;
  if (strict) problems = complaint("missing", missing) + complaint("unexpected", unexpected);
  problems += complaint("wrong shape", wrong);
  require(problems.empty(), "load_state_dict", "{}: {}", owner, problems.substr(problems.empty() ? 0 : 2));
  const NoGradGuard no_grad;
  for (const auto& [target, source] : pairs) target.copy_(*source);
}

}  // namespace percale::nn
