// Bias and ReLU in a pass of their own, where a library did not fuse them. After device.h, in a `_cuda.cu` file.
#pragma once

#include "../../core/cuda/unfinished.h"
#include "../../core/tensor.h"
#include "convert.h"
#include "device.h"

namespace percale::cuda {

template <class T>
__global__ void finish_result_kernel(T* data, const T* bias, bool relu, index_t count, index_t columns) {
  for (index_t i : grid_stride(count)) {
    auto value = static_cast<compute_t<T>>(data[i]);
    if (bias) value += static_cast<compute_t<T>>(bias[i % columns]);
    data[i] = percale::convert_to<T>(relu && value < 0 ? compute_t<T>(0) : value);  // NaN stays
  }
}

/// Does to `result`, dense in memory with the bias's elements as its last dimension there, what `rest` says.
inline void finish(const char* operation, Unfinished rest, const Tensor& bias, const Tensor& result) {
  if (!rest.bias && !rest.relu) return;
  const int64_t columns = rest.bias ? bias.numel() : 1;
  visit_floating(operation, result.dtype(), [&]<class T>() {
    launch(finish_result_kernel<T>, blocks_for(result.numel()), 256, 0, current_stream(), result.data<T>(),
           rest.bias ? bias.data<T>() : nullptr, rest.relu, result.numel(), columns);
  });
}

}  // namespace percale::cuda
