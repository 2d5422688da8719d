// Code points and UTF-8 as the reference tokenizer sees them: utf8proc, held to the versions of Unicode that it mixes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace percale::language::unicode {

constexpr char32_t replacement_character = 0xfffd;

bool is_removed(char32_t code);  ///< by cleaning: U+0000, U+FFFD, control, format, private use
bool is_white_space(char32_t code);
bool is_punctuation(char32_t code);
bool is_ideograph(char32_t code);
bool is_nonspacing_mark(char32_t code);
/// Unicode's canonical combining class: 0 for what starts a sequence.
int combining_class(char32_t code);

/// A few code points.
struct CodePoints {
  std::array<char32_t, 4> values{};
  int count = 0;

  const char32_t* begin() const { return values.data(); }
  const char32_t* end() const { return values.data() + count; }
};
/// The canonical decomposition (NFD before marks are put in order) of one code point, itself if it has none.
CodePoints decompose(char32_t code);
/// The full lower case: one code point, but for U+0130, which is i with a dot above.
CodePoints lower(char32_t code);

/// The code point at `at`, which moves on. Only for valid UTF-8.
inline char32_t decode(const char*& at) {
  const auto byte = [&](int i) { return static_cast<char32_t>(static_cast<uint8_t>(at[i])); };
  const char32_t first = byte(0);
  if (first < 0x80) return ++at, first;
  if (first < 0xe0) return at += 2, (first & 0x1f) << 6 | (byte(-1) & 0x3f);
  if (first < 0xf0) return at += 3, (first & 0x0f) << 12 | (byte(-2) & 0x3f) << 6 | (byte(-1) & 0x3f);
  return at += 4, (first & 0x07) << 18 | (byte(-3) & 0x3f) << 12 | (byte(-2) & 0x3f) << 6 | (byte(-1) & 0x3f);
}
/// Writes up to 4 bytes at `to`; says how many.
inline size_t encode(char32_t code, char* to) {
  const auto put = [&](int i, char32_t value) { to[i] = static_cast<char>(value); };
  if (code < 0x80) return put(0, code), 1;
  const char32_t last = 0x80 | (code & 0x3f), second = 0x80 | (code >> 6 & 0x3f), third = 0x80 | (code >> 12 & 0x3f);
  if (code < 0x800) return put(0, 0xc0 | code >> 6), put(1, last), 2;
  if (code < 0x10000) return put(0, 0xe0 | code >> 12), put(1, second), put(2, last), 3;
  return put(0, 0xf0 | code >> 18), put(1, third), put(2, second), put(3, last), 4;
}

/// Where valid UTF-8 ends: `text.size()` if all of it is.
size_t valid_prefix(std::string_view text);

/// `text` with U+FFFD in place of each longest beginning of a sequence that is not UTF-8, as Rust's from_utf8_lossy and
/// browsers do it. `origins[i]` is where byte i came from, and origins.back() is text.size().
struct Repaired {
  std::string text;
  std::vector<uint32_t> origins;
};
Repaired repair(std::string_view text);

}  // namespace percale::language::unicode
