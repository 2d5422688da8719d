// Any bytes as a safetensors file: tensors, or an error of Percale's.
#include <percale/core/io/safetensors.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const percale::io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  try {
    int64_t bytes = 0;
    for (const auto& [name, tensor] : percale::io::load_safetensors(source).tensors)
      bytes += tensor.numel() * static_cast<int64_t>(size_of(tensor.dtype()));
    if (bytes > static_cast<int64_t>(size)) __builtin_trap();
  } catch (const percale::Error&) {
  }
  return 0;
}
