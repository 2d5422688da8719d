// A library of NVIDIA's that is opened when first needed, so that programs start without it.
#pragma once

#include <dlfcn.h>

#include <initializer_list>
#include <string>

#include "../error.h"

namespace percale::cuda {

struct SharedLibrary {
  void* handle = nullptr;
  std::string name;
  std::string reason;  ///< why it is not there, or lacks a function

  /// Opens the first of `names` that there is. `missing` says what to do without any; its {} is the system's error.
  void open(std::initializer_list<const char*> names, const char* missing) {
    for (const char* candidate : names) {
      name = candidate;
      handle = dlopen(candidate, RTLD_NOW | RTLD_LOCAL);
      if (handle) return;
    }
    const char* error = dlerror();
    reason = format_text(missing, {error ? error : "no " + name});
  }

  template <class Function>
  void look_up(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(dlsym(handle, symbol));
    if (!function && reason.empty()) reason = format_text("{} lacks {}", {name, symbol});
  }
};

}  // namespace percale::cuda
