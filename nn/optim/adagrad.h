// Adagrad.
#pragma once

#include "optimizer.h"

namespace percale::optim {

struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0, weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;
};

/// Duchi and others, JMLR 2011: each element's rate falls with the squares of its gradients so far.
///
///     optim::Adagrad optimizer(model.parameters(), {.lr = 0.05});
class Adagrad : public Optimizer {
 public:
  explicit Adagrad(const Tensors& parameters, const AdagradOptions& options = {});
  explicit Adagrad(const std::vector<ParameterGroup<AdagradOptions>>& groups);

 private:
  void step_group(size_t index, const Group& group, const Tensors& gradients) override;
  void step_rows(size_t index, const Group& group, size_t i, const std::vector<RowGradient>& rows) override;

  std::vector<AdagradOptions> options_;
};

}  // namespace percale::optim
