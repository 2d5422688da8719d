// What the twins of softmax implement. All tensors are f32 or f64, of the same dtype and dense strides, and not empty.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// A dense tensor seen from one dimension: element k of the row through (o, i) stands at (o * length + k) * inner + i.
struct Rows {
  int64_t outer, length, inner;
};

namespace cpu {
void softmax(const Tensor& x, const Tensor& y, Rows rows, bool logarithm);
/// From the gradient of y to that of x.
void softmax_gradient(const Tensor& gradient, const Tensor& y, const Tensor& result, Rows rows, bool logarithm);
}  // namespace cpu

namespace cuda {
void softmax(const Tensor& x, const Tensor& y, Rows rows, bool logarithm);
void softmax_gradient(const Tensor& gradient, const Tensor& y, const Tensor& result, Rows rows, bool logarithm);
}  // namespace cuda

}  // namespace percale
