// How tensors are shown to cuBLASLt: by their strides where it can read them, else as a dense copy.
#pragma once

#include "../../core/cuda/blas.h"
#include "../../core/primitives.h"
#include "../../core/tensor.h"

namespace percale::cuda {

/// How the last two dimensions lie, if one of them runs along memory.
inline bool has_layout(const Tensor& tensor, MatrixLayout& layout) {
  const int64_t rows = tensor.size(-2), columns = tensor.size(-1);
  const int64_t row_step = tensor.stride(-2), column_step = tensor.stride(-1);
  if ((column_step == 1 || columns == 1) && (row_step >= columns || rows == 1)) {
    layout = {false, rows == 1 ? columns : row_step, 0};
    return true;
  }
  if ((row_step == 1 || rows == 1) && (column_step >= rows || columns == 1)) {
    layout = {true, columns == 1 ? rows : column_step, 0};
    return true;
  }
  return false;
}

/// The one step from matrix to matrix of all leading dimensions, if there is one.
inline bool has_batch_step(const Tensor& tensor, int64_t& step) {
  step = 0;
  int64_t next = 0;  // what the dimension outside must step by
  bool first = true;
  for (int dim = tensor.rank() - 3; dim >= 0; --dim) {
    if (tensor.shape()[dim] == 1) continue;
    if (first)
      step = tensor.strides()[dim];
    else if (tensor.strides()[dim] != next)
      return false;
    next = tensor.strides()[dim] * tensor.shape()[dim];
    first = false;
  }
  return true;
}

/// The operand as cuBLASLt can read it: itself wherever that can be.
inline Tensor readable(const Tensor& tensor, MatrixLayout& layout) {
  if (has_layout(tensor, layout) && has_batch_step(tensor, layout.batch_step)) return tensor.detach();
  const Tensor dense = Tensor::empty(tensor.shape(), tensor.options());
  copy(tensor.detach(), dense);
  has_layout(dense, layout);
  has_batch_step(dense, layout.batch_step);
  return dense;
}

inline Tensor product_workspace_tensor() {
  return Tensor::empty({static_cast<int64_t>(product_workspace())}, {u8, cuda_device});
}

}  // namespace percale::cuda
