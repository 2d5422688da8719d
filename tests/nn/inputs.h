// Inputs by counter for the tests of modules.
#pragma once

#include "../../core/tensor.h"
#include "../goldens/counter.h"

namespace percale::testing {

/// Numbers in [-1, 1) that differ from stream to stream.
inline Tensor counted(const Shape& shape, uint64_t stream = 1, DType dtype = f32) {
  Tensor result = Tensor::empty(shape, {f64, cpu_device});
  for (int64_t i = 0; i < result.numel(); ++i)
    result.data<double>()[i] = goldens::uniform(stream, static_cast<uint64_t>(i));
  return result.to(dtype);
}

}  // namespace percale::testing
