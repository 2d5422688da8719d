// Layers that bring rows or channels to mean 0 and variance 1.
#pragma once

#include <optional>

#include "../module.h"

namespace percale::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;  ///< a weight (ones at first) and
  bool bias = true;                ///< with it a bias (zeros)
};

/// Each row of the last dimension to mean 0 and variance 1, times weight, plus bias: PyTorch's nn.LayerNorm over one
/// dimension. What dtypes give what says percale::layer_norm.
class LayerNorm : public ModuleOf<LayerNorm> {
 public:
  explicit LayerNorm(int64_t width, const LayerNormOptions& options = {});
  Tensor forward(const Tensor& x) const;
  /// layer_norm(x + residual), in one operation unless a hook wants to see the layer's own input; the same bytes either
  /// way where both are of one dtype of 32 bits or more. `result` as percale::add_layer_norm takes it.
  Tensor of_sum(const Tensor& x, const Tensor& residual, std::optional<DType> result = {}) const;

  Parameter weight, bias;

 private:
  double eps_;
};

struct BatchNormOptions {
  double eps = 1e-5;
  /// How far the running statistics go towards a batch's. None (`std::nullopt`): they are the mean over all batches,
  /// for which each training step reads `num_batches_tracked`.
  std::optional<double> momentum = 0.1;
  bool affine = true;               ///< a weight (ones at first) and a bias (zeros)
  bool track_running_stats = true;  ///< evaluation mode goes by what was seen in training, else by the batch itself
};

/// What BatchNorm1d and BatchNorm2d have in common: PyTorch's names in state_dict, num_batches_tracked (i64) included.
template <class Self>
class BatchNorm : public ModuleOf<Self> {
 public:
  Parameter weight, bias, running_mean, running_var, num_batches_tracked;

 protected:
  BatchNorm(int64_t num_features, const BatchNormOptions& options);
  Tensor normalised(const Tensor& x) const;

 private:
  BatchNormOptions options_;
};

/// Each column of [N, C], or channel of [N, C, L], normalised: by the batch in training mode, else by what was seen.
class BatchNorm1d : public BatchNorm<BatchNorm1d> {
 public:
  explicit BatchNorm1d(int64_t num_features, const BatchNormOptions& options = {});
  Tensor forward(const Tensor& x) const;
};

/// The same for the channels of images [N, C, H, W].
class BatchNorm2d : public BatchNorm<BatchNorm2d> {
 public:
  explicit BatchNorm2d(int64_t num_features, const BatchNormOptions& options = {});
  Tensor forward(const Tensor& x) const;
};

}  // namespace percale::nn
