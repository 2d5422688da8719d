#include "sequential.h"

#include "layers/activations.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "layers/pooling.h"

namespace percale::nn {
namespace {

/// The layer at `i` if it is a `Layer` that nobody watches.
template <class Layer>
const Layer* unwatched(const std::vector<AnyModule>& layers, size_t i) {
  if (i >= layers.size()) return nullptr;
  const Layer* layer = layers[i].as<Layer>();
  return layer && !layer->has_hooks() ? layer : nullptr;
}

/// Runs the layer at `i`, with those behind it that it can be fused with, and moves `i` behind them.
Tensor run(const std::vector<AnyModule>& layers, size_t& i, const Tensor& x) {
  if (unwatched<ReLU>(layers, i + 1)) {
    if (const auto* linear = unwatched<Linear>(layers, i)) {
      i += 2;
      return linear->relu(x);
    }
    if (const auto* conv = unwatched<Conv2d>(layers, i)) {
      const auto* pool = unwatched<MaxPool2d>(layers, i + 2);
      const auto window = pool ? pool->plain_window() : std::nullopt;
      i += window ? 3 : 2;
      return window ? conv->relu_max_pool2d(x, *window) : conv->relu(x);
    }
  }
  return layers[i++](x);
}

}  // namespace

void Sequential::add(const std::string& name, const AnyModule& layer) const {
  const auto& children = named_children();
  size_t place = 0;
  while (place < children.size() && children[place].first != name) ++place;
  Module::add(name, layer.module());
  if (place < layers_->size())
    (*layers_)[place] = layer;
  else
    layers_->push_back(layer);
}

Tensor Sequential::forward(const Tensor& x) const {
  Tensor result = x;
  for (size_t i = 0; i < layers_->size();) result = run(*layers_, i, result);
  return result;
}

}  // namespace percale::nn
