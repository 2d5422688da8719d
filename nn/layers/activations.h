// Layers without parameters that work element by element.
#pragma once

#include "../../kernels/elementwise/elementwise.h"
#include "../module.h"

namespace percale::nn {

/// max(x, 0)
class ReLU : public ModuleOf<ReLU> {
 public:
  Tensor forward(const Tensor& x) const;
};

/// x times the normal distribution's integral up to x, or the approximation of it by tanh.
class GELU : public ModuleOf<GELU> {
 public:
  explicit GELU(GeluApproximation approximate = GeluApproximation::none);
  Tensor forward(const Tensor& x) const;

 private:
  GeluApproximation approximate_;
};

class Tanh : public ModuleOf<Tanh> {
 public:
  Tensor forward(const Tensor& x) const;
};

/// 1 / (1 + exp(-x))
class Sigmoid : public ModuleOf<Sigmoid> {
 public:
  Tensor forward(const Tensor& x) const;
};

/// In training mode, zeros with probability p and 1 / (1 - p) times the others; in evaluation mode, x.
class Dropout : public ModuleOf<Dropout> {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) const;

 private:
  double p_;
};

/// [N, C, H, W] to [N, C * H * W], in logical order.
class Flatten : public ModuleOf<Flatten> {
 public:
  explicit Flatten(int64_t start_dim = 1, int64_t end_dim = -1);
  Tensor forward(const Tensor& x) const;

 private:
  int64_t start_dim_, end_dim_;
};

/// x: holds the place of a layer that is taken away.
class Identity : public ModuleOf<Identity> {
 public:
  Tensor forward(const Tensor& x) const { return x; }
};

}  // namespace percale::nn
