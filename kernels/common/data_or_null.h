// What a kernel takes for an operand that may be left out.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// The elements of `tensor`, or null where it is undefined.
template <class T>
T* data_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

}  // namespace percale
