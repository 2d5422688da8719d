// Any bytes as a text: ids that there are, offsets that lie in the text and never go back, and a text again.
#include <percale/core/error.h>
#include <percale/nn/text/wordpiece.h>

using namespace percale::language;

namespace {

constexpr std::string_view vocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ne\n##e\nhello\n##o\n.\n中\n각\nᄀ\n##ᅡ\n##ᆨ\né\n##\u0301\n##"
    "\u302e\n\ufffd\n";

void check(const WordPiece& tokenizer, std::string_view text, OffsetUnit unit) {
  const PackedEncoding encoding =
      tokenizer.encode_packed({&text, 1}, {&text, 1}, {.max_length = 1000, .offsets = unit});
  const auto ids = encoding.input_ids.span<int64_t>(), types = encoding.token_type_ids.span<int64_t>();
  const auto offsets = encoding.offsets.span<int64_t>();
  int64_t before = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= tokenizer.vocabulary_size()) __builtin_trap();
    const int64_t begin = offsets[2 * i], end = offsets[2 * i + 1];
    if (begin > end || end > static_cast<int64_t>(text.size())) __builtin_trap();
    if (i && types[i] != types[i - 1]) before = 0;
    if (end && begin < before) __builtin_trap();
    before = begin;
  }
  tokenizer.decode(ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const WordPiece uncased = WordPiece::from_vocabulary({vocabulary, "fuzz"});
  static const WordPiece cased = WordPiece::from_vocabulary({vocabulary, "fuzz"}, {.lowercase = false});
  static const WordPiece raw =
      WordPiece::from_vocabulary({vocabulary, "fuzz"}, {.clean_text = false, .handle_chinese_chars = false});
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const WordPiece* tokenizer : {&uncased, &cased, &raw}) {
    check(*tokenizer, text, OffsetUnit::code_points);
    check(*tokenizer, text, OffsetUnit::bytes);
  }
  return 0;
}
