// The ranges that a profiler sees, through NVTX's injection interface: tests/injection stands in for nsys.
#pragma once

#ifdef PERCALE_INJECTION

#include <dlfcn.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace percale::testing {

/// Set before the first range of the process: NVTX looks once.
inline const bool injected = [] { return setenv("NVTX_INJECTION64_PATH", PERCALE_INJECTION, 1) == 0; }();

/// The names pushed so far, in the order of their pushes.
inline std::vector<std::string> pushed_ranges() {
  void* library = dlopen(PERCALE_INJECTION, RTLD_NOW | RTLD_NOLOAD);
  if (!library) return {};
  const auto names = reinterpret_cast<const char* (*)()>(dlsym(library, "percale_pushed_ranges"));
  std::istringstream lines(names());
  std::vector<std::string> result;
  for (std::string line; std::getline(lines, line);) result.push_back(line);
  return result;
}

/// How many of them have not been popped.
inline int open_ranges() {
  return reinterpret_cast<int (*)()>(dlsym(dlopen(PERCALE_INJECTION, RTLD_NOW), "percale_open_ranges"))();
}

}  // namespace percale::testing

#endif
