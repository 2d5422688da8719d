// Any bytes as an .npy file: a tensor, or an error of Percale's.
#include <percale/core/io/npy.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const percale::io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  try {
    const percale::Tensor tensor = percale::io::load_npy(source);
    if (tensor.numel() > static_cast<int64_t>(size)) __builtin_trap();
  } catch (const percale::Error&) {
  }
  return 0;
}
