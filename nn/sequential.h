// Layers one after the other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "module.h"

namespace percale::nn {

/// A module that makes a tensor from a tensor.
template <class Layer>
concept TensorLayer = std::derived_from<Layer, Module> && requires(const Layer& layer, const Tensor& x) {
  { layer.forward(x) } -> std::same_as<Tensor>;
};

/// Any such module.
class AnyModule {
 public:
  template <TensorLayer Layer>
  AnyModule(Layer layer) : module_(layer), holder_(std::make_shared<Holder<Layer>>(std::move(layer))) {}

  Tensor operator()(const Tensor& x) const { return holder_->call(x); }
  const Module& module() const { return module_; }
  /// The layer, if it is of exactly this class, or null.
  template <class Layer>
  const Layer* as() const {
    return holder_->type == typeid(Layer) ? &static_cast<const Holder<Layer>&>(*holder_).layer : nullptr;
  }

 private:
  struct Callable {
    explicit Callable(const std::type_info& type) : type(type) {}
    virtual ~Callable() = default;
    virtual Tensor call(const Tensor& x) const = 0;
    const std::type_info& type;
  };
  template <class Layer>
  struct Holder : Callable {
    explicit Holder(Layer layer) : Callable(typeid(Layer)), layer(std::move(layer)) {}
    Tensor call(const Tensor& x) const override { return layer(x); }
    Layer layer;
  };

  Module module_;
  std::shared_ptr<const Callable> holder_;
};

/// Runs its layers in order. Linear and Conv2d run as one operation with a ReLU right behind them, Conv2d and ReLU also
/// with a MaxPool2d of plain windows behind that, unless one of these layers has a hook; the bytes are the same either
/// way.
///
///     nn::Sequential encoder(nn::Linear(784, 128), nn::ReLU(), nn::Linear(128, 6));
class Sequential : public ModuleOf<Sequential> {
 public:
  template <TensorLayer... Layers>
  explicit Sequential(const Layers&... layers) {
    (push_back(layers), ...);
  }

  /// One more layer at the end, under its number.
  void push_back(const AnyModule& layer) const { add(std::to_string(size()), layer); }
  /// One more layer at the end (or in place of the one with this name).
  void add(const std::string& name, const AnyModule& layer) const;

  Tensor forward(const Tensor& x) const;

  size_t size() const { return layers_->size(); }
  const AnyModule& operator[](size_t i) const { return layers_->at(i); }
  /// The i-th layer as what it is: `encoder.at<nn::Linear>(0).weight`. An error if it is something else.
  template <class Layer>
  const Layer& at(size_t i) const {
    require(i < size(), "at", "layer {} of {}", i, size());
    const Layer* layer = (*this)[i].template as<Layer>();
    require(layer != nullptr, "at", "layer {} is a {}", i, (*this)[i].module().type());
    return *layer;
  }

 private:
  std::shared_ptr<std::vector<AnyModule>> layers_ = std::make_shared<std::vector<AnyModule>>();
};

/// Modules of one class in a row, for a forward that goes through them itself.
///
///     nn::ModuleList<nn::Linear> layers = add("layers", nn::ModuleList<nn::Linear>());
template <class Item>
class ModuleList : public ModuleOf<ModuleList<Item>> {
 public:
  ModuleList() = default;
  ModuleList(std::initializer_list<Item> items) {
    for (const Item& item : items) push_back(item);
  }
  void push_back(const Item& item) const {
    this->add(std::to_string(size()), item);
    items_->push_back(item);
  }
  size_t size() const { return items_->size(); }
  const Item& operator[](size_t i) const { return items_->at(i); }
  auto begin() const { return items_->cbegin(); }
  auto end() const { return items_->cend(); }

 private:
  std::shared_ptr<std::vector<Item>> items_ = std::make_shared<std::vector<Item>>();
};

}  // namespace percale::nn
