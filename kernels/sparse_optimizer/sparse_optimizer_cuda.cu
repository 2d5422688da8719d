#include <type_traits>

#include "../common/device.h"
#include "../common/device_segments.h"
#include "../optimizer/optimizer_update.h"
#include "sparse_optimizer_twins.h"

namespace percale::cuda {
namespace {

/// Counts the step, and works out its numbers in f64: once, for all blocks of the next kernels.
template <class Numbers, class Options>
__global__ void prepare_kernel(double* step, const double* learning_rate, Options options, Numbers* numbers,
                               const ErrorRecord* error) {
  if (has_error(error)) return;
  *step = *step + 1;
  Numbers result(options, *learning_rate, *step);
  if constexpr (std::is_same_v<Options, SgdOptions>) result.first = false;  // a row's momentum starts from zeros
  *numbers = result;
}

/// A row's gradient, as it is summed, moves the row and its `states`.
template <int states, class T, class Numbers>
struct UpdateRow {
  T* table;
  T* state[3];
  const Numbers* numbers;
  index_t width;
  const T* address;  ///< the least aligned of what is written

  template <int count>
  __device__ void operator()(index_t row, index_t column, const Vector<T, count>& gradient) const {
    const index_t at = row * width + column;
    const Numbers own_numbers = *numbers;
    Vector<T, count> moved = load_vector<count>(table + at), own[3];
#pragma unroll
    for (int k = 0; k < states; ++k) own[k] = load_vector<count>(state[k] + at);
#pragma unroll
    for (int lane = 0; lane < count; ++lane) {
      T values[3] = {};
      for (int k = 0; k < states; ++k) values[k] = own[k][lane];
      update<states>(own_numbers, moved[lane], gradient[lane], values);
      for (int k = 0; k < states; ++k) own[k][lane] = values[k];
    }
    store_vector(table + at, moved);
#pragma unroll
    for (int k = 0; k < states; ++k) store_vector(state[k] + at, own[k]);
  }
};

template <int states, class T, class Numbers>
void update_rows(const SparseStep& step, const Numbers* numbers) {
  UpdateRow<states, T, Numbers> sink{step.table.data<T>(), {}, numbers, step.table.size(1), step.table.data<T>()};
  for (int k = 0; k < states; ++k) {
    sink.state[k] = step.states[k].data<T>();
    if (!is_aligned<wide<T>>(sink.state[k])) sink.address = sink.state[k];
  }
  sum_segments<T>(SortedEntries(step.index, step.table.size(0)), step.rows, sink);
}

template <class T, class Numbers, class Options>
void run_step(const SparseStep& step, const Options& options) {
  const Tensor workspace = Tensor::empty({static_cast<int64_t>(sizeof(Numbers))}, {u8, step.table.device()});
  auto* numbers = static_cast<Numbers*>(workspace.data());
  launch(prepare_kernel<Numbers, Options>, 1, 1, 0, current_stream(), step.step.data<double>(),
         step.learning_rate.data<double>(), options, numbers, error_record());
  if (!step.rows.numel()) return;
  if constexpr (std::is_same_v<Options, SgdOptions>) {
    if (step.state_count() == 0)
      update_rows<0, T>(step, numbers);
    else
      update_rows<1, T>(step, numbers);
  } else if constexpr (std::is_same_v<Options, AdagradOptions>) {
    update_rows<1, T>(step, numbers);
  } else {
    if (step.state_count() == 2)
      update_rows<2, T>(step, numbers);
    else
      update_rows<3, T>(step, numbers);
  }
}

}  // namespace

void sparse_sgd_step(const SparseStep& step, const SgdOptions& options) {
  if (step.table.dtype() == f32)
    run_step<float, SgdNumbers<float>>(step, options);
  else
    run_step<double, SgdNumbers<double>>(step, options);
}

void sparse_adagrad_step(const SparseStep& step, const AdagradOptions& options) {
  if (step.table.dtype() == f32)
    run_step<float, AdagradNumbers<float>>(step, options);
  else
    run_step<double, AdagradNumbers<double>>(step, options);
}

void sparse_adam_step(const SparseStep& step, const AdamOptions& options) {
  if (step.table.dtype() == f32)
    run_step<float, AdamNumbers<float>>(step, options);
  else
    run_step<double, AdamNumbers<double>>(step, options);
}

}  // namespace percale::cuda
