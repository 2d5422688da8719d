// Any bytes as a vocabulary, and as a text to count: words that find their own index, or an error of Percale's.
#include <percale/core/error.h>
#include <percale/nn/text/vocabulary.h>

namespace {

void check(const percale::language::Vocabulary& vocabulary) {
  for (int64_t i = 0; i < vocabulary.others(); ++i)
    if (vocabulary[vocabulary.word(i)] != i) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const percale::io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  try {
    check(percale::language::Vocabulary::load(source));
  } catch (const percale::Error&) {
  }
  for (const bool lower : {false, true}) {
    try {
      check(percale::language::Vocabulary(percale::language::count_words(source, {.lower = lower})));
    } catch (const percale::Error&) {
    }
  }
  return 0;
}
