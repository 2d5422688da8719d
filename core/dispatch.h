// How an operation reaches the twin of its device.
#pragma once

#include "error.h"
#include "tensor.h"

namespace percale {

/// Calls the CPU or the CUDA twin. Template arguments behind `if constexpr`, since a build without CUDA has no second
/// one.
template <auto CpuTwin, auto CudaTwin, class... Arguments>
decltype(auto) on(Device device, Arguments&&... arguments) {
  if constexpr (has_cuda) {
    if (device.is_cuda()) return CudaTwin(std::forward<Arguments>(arguments)...);
  }
  return CpuTwin(std::forward<Arguments>(arguments)...);
}

}  // namespace percale
