#include "info.h"

#include <cairo/cairo.h>
#include <dlfcn.h>
#include <hwy/targets.h>
#include <zlib.h>

#include <fstream>
#include <oneapi/dnnl/dnnl.hpp>
#include <thread>

#include "cpu/threads.h"
#include "cuda/runtime.h"
#include "device.h"
#include "version.h"

namespace percale {
namespace {

std::string line(const std::string& name, const std::string& value) {
  return name + ":" + std::string(name.size() < 16 ? 16 - name.size() : 1, ' ') + value + "\n";
}

/// The value of the first line of a file under /proc whose name is `key`.
std::string from_proc(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string row; std::getline(file, row);)
    if (row.starts_with(key))
      if (const size_t colon = row.find(':'); colon != std::string::npos) {
        const size_t begin = row.find_first_not_of(" \t", colon + 1);
        return begin == std::string::npos ? std::string() : row.substr(begin);
      }
  return "unknown";
}

std::string instruction_sets() {
  std::string list;
  for (int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
    const int64_t target = left & -left;
    if (!list.empty()) list += ' ';
    list += hwy::TargetName(target);
  }
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16")) list += " AVX512-BF16";
#endif
  return list;
}

std::string libraries() {
  const dnnl_version_t* onednn = dnnl_version();
  return "oneDNN " + std::to_string(onednn->major) + "." + std::to_string(onednn->minor) + "." +
         std::to_string(onednn->patch) + ", zlib " + zlibVersion() + ", cairo " + cairo_version_string();
}

#if PERCALE_HAS_CUDA
std::string in_gigabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", bytes / 1e9);
  return text;
}

std::string opened(std::initializer_list<const char*> names, const std::string& mend) {
  for (const char* name : names)
    if (void* library = dlopen(name, RTLD_LAZY | RTLD_LOCAL)) {
      dlclose(library);
      return name;
    }
  return "not found (" + mend + ")";
}

std::string gpu_lines() {
  const std::string reason = cuda::reason_without_device();
  if (!reason.empty()) return line("GPU", "none: " + reason);
  const cuda::DeviceDescription device = cuda::describe_device();
  return line("GPU", device.name + ", compute capability " + std::to_string(device.compute_capability / 10) + "." +
                         std::to_string(device.compute_capability % 10) + ", " +
                         std::to_string(device.multiprocessors) + " multiprocessors, " +
                         in_gigabytes(static_cast<double>(device.total_memory))) +
         line("driver", "knows CUDA " + device.driver) + line("toolkit", "built with CUDA " + device.runtime) +
         line("cuBLASLt", opened({"libcublasLt.so.13", "libcublasLt.so.12"},
                                 "it comes with the CUDA toolkit; add its lib64 to LD_LIBRARY_PATH")) +
         line("cuDNN",
              opened({"libcudnn.so.9"},
                     "apt-get install cudnn9-cuda-13 from NVIDIA's repository, or pip install nvidia-cudnn-cu13"));
}
#else
std::string gpu_lines() { return line("GPU", "not used: " + reason_without_cuda()); }
#endif

}  // namespace

std::string machine_text() {
  return line("percale", version()) + line("processor", from_proc("/proc/cpuinfo", "model name")) +
         line("instruction sets", instruction_sets()) +
         line("threads",
              std::to_string(cpu::num_threads()) + " of " + std::to_string(std::thread::hardware_concurrency())) +
         line("memory", from_proc("/proc/meminfo", "MemTotal")) + line("libraries", libraries()) + gpu_lines();
}

}  // namespace percale
