// The fully connected layer.
#pragma once

#include "../module.h"

namespace percale::nn {

struct LinearOptions {
  bool bias = true;
};

/// x [..., in_features] to x weight^T + bias [..., out_features].
///
/// Starts as PyTorch's: weight [out, in] and bias [out] uniform in +-1 / sqrt(in_features).
class Linear : public ModuleOf<Linear> {
 public:
  Linear(int64_t in_features, int64_t out_features, const LinearOptions& options = {});
  Tensor forward(const Tensor& x) const;
  /// relu(linear(x)), in one operation unless a hook wants to see the layer's own output; the same bytes either way.
  Tensor relu(const Tensor& x) const;

  Parameter weight, bias;
};

}  // namespace percale::nn
