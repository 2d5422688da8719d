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

BCELoss::BCELoss(const Tensor& weight, Reduction reduction) : reduction_(reduction) {
  if (weight.defined()) weight_ = add_buffer("weight", weight);
}

Tensor BCELoss::forward(const Tensor& input, const Tensor& target) const {
  return binary_cross_entropy(input, target, weight_, reduction_);
}

BCEWithLogitsLoss::BCEWithLogitsLoss(const Tensor& weight, const Tensor& pos_weight, Reduction reduction)
    : reduction_(reduction) {
  if (weight.defined()) weight_ = add_buffer("weight", weight);
  if (pos_weight.defined()) pos_weight_ = add_buffer("pos_weight", pos_weight);
}

Tensor BCEWithLogitsLoss::forward(const Tensor& logits, const Tensor& target) const {
  return binary_cross_entropy_with_logits(logits, target, weight_, pos_weight_, reduction_);
}

}  // namespace percale::nn
