// Batch normalisation: each channel brought to mean 0 and variance 1 over the batch, or by what was seen in training.
#pragma once

#include "../../core/tensor.h"

namespace percale {

struct BatchNormOptions {
  bool training = false;  ///< by the batch's own mean and variance, which running ones follow; else by those
  double momentum = 0.1;  ///< how far the running ones go towards the batch's
  double eps = 1e-5;
};

/// (x - mean) / sqrt(variance + eps) * weight + bias for each channel: Ioffe and Szegedy, "Batch Normalization", 2015;
/// PyTorch's `F.batch_norm`.
///
/// `input` is [N, C], [N, C, L] or [N, C, H, W] of f32, f64, f16 or bf16 (computed in f32); the result has its shape
/// and dtype, and of images it is channels-last. `running_mean`, `running_var`, `weight` and `bias` are [C], f64 beside
/// an f64 input and f32 else; weight and bias may be undefined (ones, zeros), and in training the running ones. In
/// training these become (1 - momentum) times themselves plus momentum times the batch's mean and unbiased variance:
/// contiguous memory that is written in place, and on CUDA left alone once an operation has met a bad index.
///
/// Means and variances are found in one reading, over fixed pieces of the batch whose moments are joined in f64 (Chan,
/// Golub and LeVeque, 1983): the same bytes at any number of threads. Differentiable twice by input, weight and bias.
/// Errors: shapes and dtypes that do not fit; training with one element a channel; a negative eps; no running mean and
/// variance outside of training.
Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight = {},
                  const Tensor& bias = {}, const BatchNormOptions& options = {});

}  // namespace percale
