// The optimizers' steps on a table of which few rows have a gradient: the others are neither read nor written.
#pragma once

#include <vector>

#include "../../core/autograd.h"
#include "../../core/tensor.h"
#include "../optimizer/optimizer.h"

namespace percale {

/// One step of SGD on the rows of `table` that `gradients` name. Entries of the same row are summed first, in their
/// order and so to the same bytes each run, and go straight into the row's step: a dense gradient is never made, and
/// nothing grows with the number of rows.
///
/// The formulas are sgd_step's, but lazy, as PyTorch's SparseAdam is: momentum fades and weights decay only in a step
/// in which their row is used. Without momentum and decay that is the dense step. What changes from step to step lies
/// on the table's device, so that a captured graph follows it: `learning_rate` (f64, one element) is read, and `step`
/// (f64, one element, zero at first) is counted up. After a bad index on CUDA nothing is written.
/// @param table [rows, width] of f32 or f64, contiguous.
/// @param gradients what row_gradients(table) gives; without any, nothing is done. Negative positions stand for
/// nothing.
/// @param momentum_buffer of the table's shape, contiguous, zeros at first; undefined without momentum.
/// Errors: shapes, dtypes or devices that differ; tensors that are not contiguous; nesterov without momentum;
/// dampening.
void sparse_sgd_step(const Tensor& table, const std::vector<RowGradient>& gradients, const Tensor& momentum_buffer,
                     const Tensor& learning_rate, const Tensor& step, const SgdOptions& options = {});

/// The same for Adagrad, whose formulas are adagrad_step's: without decay it is the dense step (and PyTorch's).
/// @param sum of the table's shape, contiguous, zeros (or another first value) at first.
void sparse_adagrad_step(const Tensor& table, const std::vector<RowGradient>& gradients, const Tensor& sum,
                         const Tensor& learning_rate, const Tensor& step, const AdagradOptions& options = {});

/// The same for Adam, AdamW and AMSGrad, whose formulas are adam_step's: moments of a row fade, and its weights decay,
/// in the steps that use it, while the bias corrections count all steps. PyTorch's SparseAdam but for its eps, which
/// stands beside sqrt(v) without its correction.
/// @param exp_avg, exp_avg_sq of the table's shape, contiguous, zeros at first.
/// @param max_exp_avg_sq likewise, or undefined without amsgrad.
void sparse_adam_step(const Tensor& table, const std::vector<RowGradient>& gradients, const Tensor& exp_avg,
                      const Tensor& exp_avg_sq, const Tensor& max_exp_avg_sq, const Tensor& learning_rate,
                      const Tensor& step, const AdamOptions& options = {});

}  // namespace percale
