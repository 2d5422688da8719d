// What the two twins of the steps on rows implement.
#pragma once

#include "sparse_optimizer.h"

namespace percale {

/// A step's table and its state, and the rows of its gradient: row `index[i]` gains `rows[i]`. All contiguous.
struct SparseStep {
  Tensor table;
  Tensor states[3];  ///< momentum buffer; Adagrad's sum; or Adam's m, v and, with amsgrad, the largest v
  Tensor index;      ///< [count] of i64 or i32; positions outside of the table stand for nothing
  Tensor rows;       ///< [count, width]
  Tensor learning_rate, step;

  int state_count() const {
    int count = 0;
    while (count < 3 && states[count].defined()) ++count;
    return count;
  }
};

namespace cpu {
void sparse_sgd_step(const SparseStep& step, const SgdOptions& options);
void sparse_adagrad_step(const SparseStep& step, const AdagradOptions& options);
void sparse_adam_step(const SparseStep& step, const AdamOptions& options);
}  // namespace cpu

namespace cuda {
void sparse_sgd_step(const SparseStep& step, const SgdOptions& options);
void sparse_adagrad_step(const SparseStep& step, const AdagradOptions& options);
void sparse_adam_step(const SparseStep& step, const AdamOptions& options);
}  // namespace cuda

}  // namespace percale
