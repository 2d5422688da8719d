// What the two twins of index_select implement, on dense memory: [outer, extent, inner] -> [outer, count, inner].
#pragma once

#include "../../core/tensor.h"

namespace percale {

struct SelectShape {
  int64_t outer, extent, count, inner;
};

inline constexpr const char* select_message =
    "index {value} at position {position} is out of range for a dimension of {bound}";

namespace cpu {
void index_select(const Tensor& x, const Tensor& index, const Tensor& result, const SelectShape& shape);
/// Element (o, e, i) of `result` is the sum of gradient (o, k, i) over the k with index[k] = e, in order.
void index_select_gradient(const Tensor& gradient, const Tensor& index, const Tensor& result, const SelectShape& shape);
}  // namespace cpu

namespace cuda {
void index_select(const Tensor& x, const Tensor& index, const Tensor& result, const SelectShape& shape);
void index_select_gradient(const Tensor& gradient, const Tensor& index, const Tensor& result, const SelectShape& shape);
}  // namespace cuda

}  // namespace percale
