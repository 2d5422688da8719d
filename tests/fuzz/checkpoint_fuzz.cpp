// Any bytes as a checkpoint: all of it, or an error of Percale's.
#include <percale/nn/train/checkpoint.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const percale::io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  try {
    const auto checkpoint = percale::train::load_checkpoint(source);
    if (checkpoint.position.epoch < 0 || checkpoint.position.step < 0 || checkpoint.random.step < 0) __builtin_trap();
  } catch (const percale::Error&) {
  }
  return 0;
}
