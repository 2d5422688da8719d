// Stochastic gradient descent.
#pragma once

#include "optimizer.h"

namespace percale::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

/// PyTorch's SGD: momentum (Nesterov's too), dampening and weight decay as kernels/optimizer states them.
///
///     optim::SGD optimizer(model.parameters(), {.lr = 0.1, .momentum = 0.9});
class SGD : public Optimizer {
 public:
  explicit SGD(const Tensors& parameters, const SGDOptions& options = {});
  explicit SGD(const std::vector<ParameterGroup<SGDOptions>>& groups);

 private:
  void step_group(size_t index, const Group& group, const Tensors& gradients) override;
  void step_rows(size_t index, const Group& group, size_t i, const std::vector<RowGradient>& rows) override;

  std::vector<SGDOptions> options_;
};

}  // namespace percale::optim
