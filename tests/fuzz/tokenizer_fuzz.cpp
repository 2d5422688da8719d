// Any bytes as a vocab.txt, a tokenizer.json and a tokenizer_config.json: a tokenizer that works, or an error of
// Percale's.
#include <percale/core/error.h>
#include <percale/nn/text/tokenizer_file.h>
#include <percale/nn/text/wordpiece.h>

using namespace percale::language;

namespace {

void check(const WordPiece& tokenizer) {
  for (int64_t id : tokenizer.ids("Hello [MASK] \xc3\xa9\xe4\xb8\xad!"))
    if (tokenizer.id(tokenizer.token(id)) != id) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const percale::io::Source source(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  try {
    check(WordPiece::from_vocabulary(source));
  } catch (const percale::Error&) {
  }
  try {
    check(WordPiece::from_json(source));
  } catch (const percale::Error&) {
  }
  try {
    read_tokenizer_config(source);
  } catch (const percale::Error&) {
  }
  return 0;
}
