#include "device.h"

#include "cuda/runtime.h"
#include "error.h"

namespace percale {

std::string text(Device device) {
  return device.is_cpu() ? "cpu" : "cuda:" + std::to_string(static_cast<int>(device.index));
}

Device parse_device(const std::string& name) {
  if (name == "cpu") return cpu_device;
  if (name == "cuda" || name == "cuda:0") return cuda_device;
  fail("device", "expected cpu or cuda, got {}", {name});
}

bool cuda_available() {
  if constexpr (has_cuda) return cuda::device_count() > 0;
  return false;
}

std::string reason_without_cuda() {
  if constexpr (has_cuda) return cuda::reason_without_device();
  return "this build has no CUDA; configure with -DPERCALE_GPU=cuda where a CUDA toolkit with cuDNN is installed";
}

}  // namespace percale
