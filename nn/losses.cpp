#include "losses.h"

namespace percale::nn {

CrossEntropyLoss::CrossEntropyLoss(const CrossEntropyOptions& options) : options_(options) {
  if (options.weight.defined()) add_buffer("weight", options.weight);
}

Tensor CrossEntropyLoss::forward(const Tensor& logits, const Tensor& target) const {
  return cross_entropy(logits, target, options_);
}

MSELoss::MSELoss(Reduction reduction) : reduction_(reduction) {}

Tensor MSELoss::forward(const Tensor& input, const Tensor& target) const { return mse_loss(input, target, reduction_); }

}  // namespace percale::nn
