#include "activations.h"

#include "../../kernels/dropout/dropout.h"

namespace percale::nn {

Tensor ReLU::forward(const Tensor& x) const { return relu(x); }

GELU::GELU(GeluApproximation approximate) : approximate_(approximate) {
  describe(approximate == GeluApproximation::tanh ? "approximate='tanh'" : "approximate='none'");
}

Tensor GELU::forward(const Tensor& x) const { return gelu(x, approximate_); }

Tensor Tanh::forward(const Tensor& x) const { return tanh(x); }

Tensor Sigmoid::forward(const Tensor& x) const { return sigmoid(x); }

Dropout::Dropout(double p) : p_(p) {
  require(p >= 0 && p <= 1, "Dropout", "p is a probability, got {}", p);
  describe("p=" + text(p) + ", inplace=False");
}

Tensor Dropout::forward(const Tensor& x) const { return dropout(x, p_, training()); }

Flatten::Flatten(int64_t start_dim, int64_t end_dim) : start_dim_(start_dim), end_dim_(end_dim) {
  describe("start_dim=" + std::to_string(start_dim) + ", end_dim=" + std::to_string(end_dim));
}

Tensor Flatten::forward(const Tensor& x) const { return x.flatten(start_dim_, end_dim_); }

}  // namespace percale::nn
