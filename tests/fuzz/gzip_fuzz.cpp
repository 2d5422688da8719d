// Any bytes as a gzip file: what it holds, in pieces of different sizes, or an error of Percale's.
#include <percale/core/error.h>
#include <percale/core/io/gzip.h>

#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const percale::io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  try {
    percale::io::UnpackingReader reader(source);
    std::vector<uint8_t> piece(5000);
    uint64_t total = 0;
    for (size_t count = 1, got = 1; got; count = count % piece.size() + 97, total += got)
      got = reader.read(piece.data(), std::min(count, piece.size()));
    if (total > reader.most_bytes()) __builtin_trap();
  } catch (const percale::Error&) {
  }
  return 0;
}
