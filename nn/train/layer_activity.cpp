#include "layer_activity.h"

#include <algorithm>
#include <cmath>

#include "../../core/autograd.h"

namespace percale::train {
namespace {

LayerActivity activity_of(const std::string& name, const std::string& type, const Tensor& output) {
  require(output.rank() > 0 && output.size(0) > 1, "layer_activity",
          "{} gave a tensor of shape {}: expected two inputs or more in its first dimension", name, output.shape());
  const Tensor here = output.detach().to(cpu_device).to(f32).contiguous();
  const int64_t inputs = here.size(0), units = here.numel() / inputs;
  const float* values = here.data<float>();
  LayerActivity found{.name = name, .type = type, .units = units};
  for (int64_t unit = 0; unit < units; ++unit) {
    float least = values[unit], largest = values[unit];
    for (int64_t i = 1; i < inputs; ++i) {
      const float value = values[i * units + unit];
      least = std::min(least, value), largest = std::max(largest, value);
    }
    const float size = std::max(std::abs(least), std::abs(largest));
    found.dead += size == 0;
    found.constant += largest - least <= 1e-4f * size;
  }
  return found;
}

std::string text_of(const LayerActivity& layer) { return layer.name + " (" + layer.type + ")"; }

}  // namespace

std::vector<LayerActivity> layer_activity(const nn::Module& model, const std::function<void()>& forward) {
  const NoGradGuard no_grad;
  std::vector<LayerActivity> found;
  std::vector<nn::HookHandle> hooks;
  const auto take_away = [&] {
    for (nn::HookHandle& hook : hooks) hook.remove();
  };
  for (const auto& [name, module] : model.named_modules())
    if (module.named_children().empty())
      hooks.push_back(module.register_forward_hook(
          [&found, name = name](const nn::Module& layer, const Tensors&, const Tensors& outputs) {
            found.push_back(activity_of(name, layer.type(), outputs.at(0)));
          }));
  try {
    forward();
  } catch (...) {
    take_away();
    throw;
  }
  take_away();
  return found;
}

std::string where_inputs_merge(const std::vector<LayerActivity>& layers) {
  const LayerActivity* most_dead = nullptr;
  for (const LayerActivity& layer : layers) {
    const std::string units = std::to_string(layer.units);
    if (layer.dead == layer.units)
      return "all " + units + " units of " + text_of(layer) + " are dead: 0 for every input";
    if (layer.constant == layer.units) return text_of(layer) + " gives every input the same " + units + " numbers";
    if (layer.type == "ReLU" && 2 * layer.dead > layer.units &&
        (!most_dead || layer.dead * most_dead->units > most_dead->dead * layer.units))
      most_dead = &layer;
  }
  if (!most_dead) return {};
  return std::to_string(most_dead->dead) + " of " + std::to_string(most_dead->units) + " units of " +
         text_of(*most_dead) + " are dead: 0 for every input";
}

}  // namespace percale::train
