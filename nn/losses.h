// Losses as modules.
#pragma once

#include "../kernels/binary_cross_entropy/binary_cross_entropy.h"
#include "../kernels/cross_entropy/cross_entropy.h"
#include "../kernels/mse/mse.h"
#include "module.h"

namespace percale::nn {

/// The cross entropy of logits [N, C] (or [N, C, ...]) and class numbers [N] ([N, ...]).
class CrossEntropyLoss : public ModuleOf<CrossEntropyLoss> {
 public:
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {});
  Tensor forward(const Tensor& logits, const Tensor& target) const;

 private:
  CrossEntropyOptions options_;  // its weight is a buffer too: it moves with the module
};

/// The squared difference of two tensors of one shape.
class MSELoss : public ModuleOf<MSELoss> {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean);
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  Reduction reduction_;
};

/// The binary cross entropy of probabilities and targets in [0, 1] of one shape.
class BCELoss : public ModuleOf<BCELoss> {
 public:
  explicit BCELoss(const Tensor& weight = {}, Reduction reduction = Reduction::mean);
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  Parameter weight_;
  Reduction reduction_;
};

/// The same of logits, in one operation that is precise for any of them.
class BCEWithLogitsLoss : public ModuleOf<BCEWithLogitsLoss> {
 public:
  explicit BCEWithLogitsLoss(const Tensor& weight = {}, const Tensor& pos_weight = {},
                             Reduction reduction = Reduction::mean);
  Tensor forward(const Tensor& logits, const Tensor& target) const;

 private:
  Parameter weight_, pos_weight_;
  Reduction reduction_;
};

}  // namespace percale::nn
