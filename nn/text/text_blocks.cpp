#include "text_blocks.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "../../core/error.h"

namespace percale::language {
namespace {

enum Kind : uint8_t { letter, beyond_ascii, nul, space, line_feed };

constexpr std::array<uint8_t, 256> kinds = [] {
  std::array<uint8_t, 256> table{};
  for (int byte = 128; byte < 256; ++byte) table[static_cast<size_t>(byte)] = beyond_ascii;
  for (const char c : {' ', '\t', '\r', '\v', '\f'}) table[static_cast<uint8_t>(c)] = space;
  table['\n'] = line_feed;
  table[0] = nul;
  return table;
}();

Kind kind_of(char c) { return static_cast<Kind>(kinds[static_cast<uint8_t>(c)]); }
bool is_space(char c) { return kind_of(c) >= space; }

void fold_ascii(char* text, size_t size) {
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(text[i] + ((text[i] >= 'A' && text[i] <= 'Z') << 5));
}

}  // namespace

TextBlocks::Block::Block(const TextBlocks& text, int64_t index) : text_(text) {
  const io::Source& source = text.source_;
  const uint64_t begin = static_cast<uint64_t>(index) * bytes;
  offset_ = begin - (begin > 0);  // the byte before tells whether a word begins here
  size_ = static_cast<size_t>(std::min(begin + bytes + longest_word + 1, source.size()) - offset_);
  end_ = static_cast<size_t>(std::min(begin + bytes, source.size()) - offset_);
  buffer_ = std::make_unique_for_overwrite<char[]>(size_);
  source.read_at(offset_, buffer_.get(), size_);
  if (text.lower_) fold_ascii(buffer_.get(), size_);
  if (begin == 0) return;
  while (position_ < end_ && !is_space(buffer_[position_])) ++position_;
  if (position_ == 0) ++position_;  // white space that belongs to the block before
}

/// Where the word from `at` ends; `plain` unless a byte of it needs a closer look.
size_t TextBlocks::Block::end_of_word(size_t at, bool& plain) const {
  uint8_t seen = 0;
  for (; at < size_; ++at) {
    const uint8_t kind = kind_of(buffer_[at]);
    if (kind >= space) break;
    seen |= kind;
  }
  plain = seen == 0;
  return at;
}

TextBlocks::Block::Item TextBlocks::Block::next(std::string_view& word) {
  for (; position_ < end_ && is_space(buffer_[position_]); ++position_)
    if (buffer_[position_] == '\n') return ++position_, Item::line_end;
  if (position_ >= end_) return Item::block_end;
  bool plain = true;
  const size_t begin = position_;
  position_ = end_of_word(begin, plain);
  if (position_ - begin > longest_word) return Item::overlong_word;
  word = std::string_view(buffer_.get() + begin, position_ - begin);
  if (!plain) word = checked(word);
  return Item::word;
}

/// The word in UTF-8, folded where that is asked for.
std::string_view TextBlocks::Block::checked(std::string_view word) {
  const auto* from = reinterpret_cast<const utf8proc_uint8_t*>(word.data());
  // A folded letter has at most three bytes for two.
  if (text_.lower_ && !folded_) folded_ = std::make_unique_for_overwrite<char[]>(2 * size_ + 4);
  const size_t begin = folded_size_;
  for (size_t at = 0; at < word.size();) {
    utf8proc_int32_t letter = 0;
    const auto length = utf8proc_iterate(from + at, static_cast<utf8proc_ssize_t>(word.size() - at), &letter);
    const uint64_t byte = offset_ + static_cast<uint64_t>(word.data() - buffer_.get()) + at;
    require(length > 0, "text", "{}: expected UTF-8, found the byte {} at {}", text_.source_.name(),
            static_cast<int>(from[at]), byte);
    require(letter != 0, "text", "{}: expected text, found a NUL at byte {}", text_.source_.name(), byte);
    at += static_cast<size_t>(length);
    if (text_.lower_)
      folded_size_ += static_cast<size_t>(utf8proc_encode_char(
          utf8proc_tolower(letter), reinterpret_cast<utf8proc_uint8_t*>(folded_.get() + folded_size_)));
  }
  return text_.lower_ ? std::string_view(folded_.get() + begin, folded_size_ - begin) : word;
}

}  // namespace percale::language
