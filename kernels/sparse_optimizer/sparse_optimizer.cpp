#include "sparse_optimizer.h"

#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../cat/cat.h"
#include "sparse_optimizer_twins.h"

namespace percale {
namespace {

void check_state(const char* operation, const Tensor& table, const Tensor& other) {
  require(other.defined() && other.shape() == table.shape() && other.dtype() == table.dtype() &&
              other.device() == table.device() && other.is_contiguous(),
          operation, "the state must be contiguous, {} of {} on {}, as the table", table.shape(), table.dtype(),
          table.device());
}

void check_number(const char* operation, const Tensor& table, const Tensor& number, const char* what) {
  require(number.defined() && number.dtype() == f64 && number.numel() == 1 && number.device() == table.device(),
          operation, "the {} must be one f64 on {}", what, table.device());
}

/// The step that `gradients` ask for, checked; several are one behind the other.
SparseStep gathered(const char* operation, const Tensor& table, const std::vector<RowGradient>& gradients,
                    const Tensors& states, const Tensor& learning_rate, const Tensor& step) {
  require(table.rank() == 2 && (table.dtype() == f32 || table.dtype() == f64) && table.is_contiguous(), operation,
          "the table must be [rows, width] of f32 or f64, contiguous, got {} of {}", table.shape(), table.dtype());
  check_number(operation, table, learning_rate, "learning rate");
  check_number(operation, table, step, "step");
  SparseStep result{
      .table = table.detach(), .states = {}, .index = {}, .rows = {}, .learning_rate = learning_rate, .step = step};
  size_t slot = 0;
  for (const Tensor& state : states) {
    check_state(operation, table, state);
    result.states[slot++] = state;
  }
  Tensors indices, rows;
  for (const auto& [index, values] : gradients) {
    require(index.rank() == 1 && is_index(index.dtype()) && index.device() == table.device(), operation,
            "positions of rows must be [count] of i64 or i32 on {}, got {} of {} on {}", table.device(), index.shape(),
            index.dtype(), index.device());
    require(values.shape() == Shape({index.size(0), table.size(1)}) && values.dtype() == table.dtype() &&
                values.device() == table.device(),
            operation, "{} positions of {} need rows [{}, {}] of {} on {}, got {} of {} on {}", index.size(0),
            table.shape(), index.size(0), table.size(1), table.dtype(), table.device(), values.shape(), values.dtype(),
            values.device());
    indices.push_back(gradients.size() == 1 ? index : index.to(i64));
    rows.push_back(values);
  }
  result.index = (indices.size() == 1 ? indices[0] : cat(indices)).contiguous();
  result.rows = (rows.size() == 1 ? rows[0] : cat(rows)).contiguous();
  return result;
}

void mark_written(const char* operation, const SparseStep& step) {
  step.table.mark_written(operation);
  step.step.mark_written(operation);
  for (int i = 0; i < step.state_count(); ++i) step.states[i].mark_written(operation);
}

}  // namespace

void sparse_sgd_step(const Tensor& table, const std::vector<RowGradient>& gradients, const Tensor& momentum_buffer,
                     const Tensor& learning_rate, const Tensor& step, const SgdOptions& options) {
  const Operation operation{"sparse_sgd_step"};
  const NoGradGuard no_grad;
  require(options.dampening == 0, "sparse_sgd_step", "rows are not dampened, got {}", options.dampening);
  require(!options.nesterov || options.momentum > 0, "sparse_sgd_step", "nesterov needs momentum above 0, got {}",
          options.momentum);
  if (gradients.empty()) return;
  const Tensors states = options.momentum != 0 ? Tensors{momentum_buffer} : Tensors{};
  const SparseStep rows = gathered("sparse_sgd_step", table, gradients, states, learning_rate, step);
  on<cpu::sparse_sgd_step, cuda::sparse_sgd_step>(table.device(), rows, options);
  mark_written("sparse_sgd_step", rows);
}

void sparse_adagrad_step(const Tensor& table, const std::vector<RowGradient>& gradients, const Tensor& sum,
                         const Tensor& learning_rate, const Tensor& step, const AdagradOptions& options) {
  const Operation operation{"sparse_adagrad_step"};
  const NoGradGuard no_grad;
  if (gradients.empty()) return;
  const SparseStep rows = gathered("sparse_adagrad_step", table, gradients, {sum}, learning_rate, step);
  on<cpu::sparse_adagrad_step, cuda::sparse_adagrad_step>(table.device(), rows, options);
  mark_written("sparse_adagrad_step", rows);
}

void sparse_adam_step(const Tensor& table, const std::vector<RowGradient>& gradients, const Tensor& exp_avg,
                      const Tensor& exp_avg_sq, const Tensor& max_exp_avg_sq, const Tensor& learning_rate,
                      const Tensor& step, const AdamOptions& options) {
  const Operation operation{"sparse_adam_step"};
  const NoGradGuard no_grad;
  for (const double beta : {options.beta1, options.beta2})
    require(beta >= 0 && beta < 1, "sparse_adam_step", "betas must be in [0, 1), got {}", beta);
  if (gradients.empty()) return;
  Tensors states = {exp_avg, exp_avg_sq};
  if (max_exp_avg_sq.defined()) states.push_back(max_exp_avg_sq);
  const SparseStep rows = gathered("sparse_adam_step", table, gradients, states, learning_rate, step);
  on<cpu::sparse_adam_step, cuda::sparse_adam_step>(table.device(), rows, options);
  mark_written("sparse_adam_step", rows);
}

}  // namespace percale
