// Adam, and AdamW with its decoupled decay.
#pragma once

#include <utility>

#include "optimizer.h"

namespace percale::optim {

struct AdamOptions {
  double lr = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
  bool maximize = false;
};

/// Kingma and Ba, 2015; with `amsgrad` Reddi and others, 2018. Weight decay adds to the gradient. Bias corrections are
/// f64.
///
///     optim::Adam optimizer(model.parameters(), {.lr = 0.001});
class Adam : public Optimizer {
 public:
  explicit Adam(const Tensors& parameters, const AdamOptions& options = {});
  explicit Adam(const std::vector<ParameterGroup<AdamOptions>>& groups);

 protected:
  Adam(const char* name, const std::vector<ParameterGroup<AdamOptions>>& groups, bool decoupled);

 private:
  void step_group(size_t index, const Group& group, const Tensors& gradients) override;
  void step_rows(size_t index, const Group& group, size_t i, const std::vector<RowGradient>& rows) override;

  std::vector<AdamOptions> options_;
  bool decoupled_;
};

struct AdamWOptions {
  double lr = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
  bool maximize = false;
};

/// Loshchilov and Hutter, 2019: Adam whose weight decay shrinks the parameters and leaves the gradients alone.
class AdamW : public Adam {
 public:
  explicit AdamW(const Tensors& parameters, const AdamWOptions& options = {});
  explicit AdamW(const std::vector<ParameterGroup<AdamWOptions>>& groups);
};

}  // namespace percale::optim
