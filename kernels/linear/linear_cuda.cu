#include "../common/convert.h"
#include "../common/device.h"
#include "../matmul/matmul_twins.h"
#include "linear_twins.h"

namespace percale::cuda {
namespace {

template <class T>
__global__ void finish_kernel(T* out, const T* bias, int64_t columns, bool relu, index_t count) {
  for (index_t i : grid_stride(count)) {
    compute_t<T> value = static_cast<compute_t<T>>(out[i]);
    if (bias) value += static_cast<compute_t<T>>(bias[i % columns]);
    if (relu && value <= 0) value = 0;
    out[i] = percale::convert_to<T>(value);
  }
}

/// A thread a column.
template <class T>
__global__ void gradient_kernel(const T* gradient, const T* result, T* masked, T* sums, int64_t rows, int64_t columns) {
  for (index_t c : grid_stride(columns)) {
    compute_t<T> sum = 0;
    for (int64_t i = c; i < rows * columns; i += columns) {
      const T value = result && static_cast<compute_t<T>>(result[i]) <= 0 ? T(0) : gradient[i];
      if (masked) masked[i] = value;
      sum += static_cast<compute_t<T>>(value);
    }
    if (sums) sums[c] = percale::convert_to<T>(sum);
  }
}

}  // namespace

void linear(const LinearOperands& operands) {
  matmul(operands.x.detach(), operands.weight.detach().t(), operands.result);
  const Tensor bias = operands.bias.defined() ? operands.bias.detach().contiguous() : Tensor();
  visit_floating("linear", operands.result.dtype(), [&]<class T>() {
    launch(finish_kernel<T>, blocks_for(operands.result.numel()), 256, 0, current_stream(), operands.result.data<T>(),
           bias.defined() ? bias.data<T>() : nullptr, operands.result.size(1), operands.relu, operands.result.numel());
  });
}

void linear_gradient(const LinearGradient& operands) {
  visit_floating("linear", operands.gradient.dtype(), [&]<class T>() {
    auto pointer = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<T>() : nullptr; };
    launch(gradient_kernel<T>, blocks_for(operands.gradient.size(1)), 256, 0, current_stream(), operands.gradient.data<T>(),
           pointer(operands.result), pointer(operands.masked), pointer(operands.sums), operands.gradient.size(0),
           operands.gradient.size(1));
  });
}

}  // namespace percale::cuda
