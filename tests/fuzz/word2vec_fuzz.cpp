// Any bytes as a word2vec file: vectors whose words find their own rows, or an error of Percale's.
#include <percale/core/error.h>
#include <percale/nn/text/word2vec_file.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const percale::io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  try {
    const auto vectors = percale::language::load_word2vec(source);
    if (vectors.vectors().numel() > static_cast<int64_t>(size)) __builtin_trap();
    for (int64_t i = 0; i < vectors.size(); ++i)
      if (vectors.find(vectors.words()[static_cast<size_t>(i)]) != i) __builtin_trap();
  } catch (const percale::Error&) {
  }
  return 0;
}
