#include "linear.h"

#include <cmath>

#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/linear/linear.h"
#include "../init.h"

namespace percale::nn {

Linear::Linear(int64_t in_features, int64_t out_features, const LinearOptions& options) {
  require(in_features >= 0 && out_features >= 0, "Linear", "features cannot be negative, got {} and {}", in_features,
          out_features);
  weight = add("weight", Tensor::empty({out_features, in_features}));
  init::default_weight_(weight);
  if (options.bias) {
    bias = add("bias", Tensor::empty({out_features}));
    init::default_bias_(bias, weight);
  }
  describe("in_features=" + std::to_string(in_features) + ", out_features=" + std::to_string(out_features) +
           ", bias=" + (options.bias ? "True" : "False"));
}

Tensor Linear::forward(const Tensor& x) const { return percale::linear(x, weight, bias); }

Tensor Linear::relu(const Tensor& x) const {
  if (has_hooks()) return percale::relu((*this)(x));
  return percale::linear_relu(x, weight, bias);
}

}  // namespace percale::nn
