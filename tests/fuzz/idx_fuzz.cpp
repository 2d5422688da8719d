// Any bytes as an IDX file, plain or gzip: a tensor, or an error of Percale's.
#include <percale/nn/data/idx.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const percale::io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  for (int rank : {1, 3}) {
    try {
      const percale::Tensor tensor = percale::data::read_idx(source, rank);
      if (tensor.numel() > static_cast<int64_t>(size) * 1032) __builtin_trap();
    } catch (const percale::Error&) {
    }
  }
  return 0;
}
