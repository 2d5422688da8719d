// A profiler of our own for NVTX's injection interface: keeps the names of the ranges in the order of their pushes.
#include <nvtx3/nvToolsExt.h>

#include <mutex>
#include <string>
#include <vector>

namespace {

std::mutex mutex;
std::vector<std::string> names;
int depth = 0;

int push(const char* name) {
  const std::lock_guard lock(mutex);
  names.emplace_back(name);
  return depth++;
}

int pop() {
  const std::lock_guard lock(mutex);
  return --depth;
}

}  // namespace

extern "C" {

/// What NVTX calls once, at the first range of a process that names this library in NVTX_INJECTION64_PATH.
__attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(get_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size)) return 0;
  *table[NVTX_CBID_CORE_RangePushA] = reinterpret_cast<NvtxFunctionPointer>(push);
  *table[NVTX_CBID_CORE_RangePop] = reinterpret_cast<NvtxFunctionPointer>(pop);
  return 1;
}

/// The names pushed so far, a line each; the caller owns nothing and the next call overwrites it.
__attribute__((visibility("default"))) const char* percale_pushed_ranges() {
  static std::string lines;
  const std::lock_guard lock(mutex);
  lines.clear();
  for (const std::string& name : names) lines += name + "\n";
  return lines.c_str();
}

__attribute__((visibility("default"))) int percale_open_ranges() { return depth; }
}
