// A softmax over very many classes, learnt from the target's and a few that are drawn as noise.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// How likely each class is drawn as noise. On the device of the weights.
struct ClassSampler {
  Tensor accept;     ///< f32 [classes]: of Walker's alias table: the probability that a drawn entry stands for itself
  Tensor alias;      ///< i32 [classes]: what it stands for otherwise
  Tensor log_share;  ///< f32 [classes]: the logarithm of the probability that a draw gives the class

  ClassSampler to(Device device) const { return {accept.to(device), alias.to(device), log_share.to(device)}; }
};

/// From the classes' counts, i64 [classes] on the CPU, none negative: drawn in proportion to max(count, 1)^power.
ClassSampler class_sampler(const Tensor& counts, double power = 0.75);

struct SampledSoftmaxOptions {
  int64_t samples = 1024;  ///< noise classes, drawn with repetition once a call and shared by its rows
  bool sparse = false;     ///< weight and bias keep their gradients as the rows that were used (row_gradients)
};

/// The mean over rows of
///
///     log(exp(score[t]) + sum over noise n that is not t of exp(score[n]) / (samples * share[n])) - score[t]
///
/// where t is the row's target and a class's score hidden . weight[class] + bias[class]. The sum over noise is an
/// estimate of that over all other classes, so that loss and gradient tend to the whole softmax's as the samples grow
/// (Y. Bengio and Senecal, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language
/// Model", 2008; Blanc and Rendle, "Adaptive Sampled Softmax with Kernel Based Sampling", 2018). It costs
/// rows * samples * width instead of rows * classes * width. To predict, take the whole softmax of
/// linear(hidden, weight, bias).
/// @param hidden [rows, width] of f32 or f64.
/// @param weight [classes, width] of the same dtype.
/// @param bias [classes, 1]: a table of one column, so that its gradient can be sparse too.
/// @param target i64 or i32 [rows].
/// Returns one number; NaN for no rows. The same bytes each run, as the random state says.
/// Errors: shapes or dtypes that do not fit; samples below 1; a class that is out of range, with its position (on CUDA
/// at the next synchronising call); `sparse` as embedding's.
Tensor sampled_softmax(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const Tensor& target,
                       const ClassSampler& sampler, const SampledSoftmaxOptions& options = {});

}  // namespace percale
