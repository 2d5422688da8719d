#include "unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "unicode_tables.h"

namespace percale::language::unicode {
namespace {

/// The range that holds `code`, or null.
template <class T>
const T* find(std::span<const T> ranges, char32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](char32_t value, const T& range) { return value < range.first; });
  if (after == ranges.begin() || std::prev(after)->last < code) return nullptr;
  return &*std::prev(after);
}

CodePoints one(char32_t code) { return {{code}, 1}; }

/// How many bytes of the sequence at the start of `rest` are good, and how many it ought to have (0: no sequence
/// starts so).
std::pair<size_t, size_t> examine(std::string_view rest) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(rest[i]); };
  const uint8_t first = byte(0);
  const size_t length = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  if (length < 2) return {1, length};
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  const uint8_t lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (rest.size() < 2 || byte(1) < lowest || byte(1) > highest) return {1, length};
  size_t good = 2;
  while (good < length && good < rest.size() && (byte(good) & 0xc0) == 0x80) ++good;
  return {good, length};
}

}  // namespace

bool is_removed(char32_t code) { return find(removed, code); }
bool is_white_space(char32_t code) { return find(white_space, code); }
bool is_punctuation(char32_t code) { return find(punctuation, code); }
bool is_ideograph(char32_t code) { return find(ideographs, code); }
bool is_nonspacing_mark(char32_t code) { return find(nonspacing_marks, code); }

// Characters younger than the reference's normalisation have no class and no decomposition there, whatever utf8proc
// knows.
int combining_class(char32_t code) {
  return find(combining, code) ? utf8proc_get_property(static_cast<utf8proc_int32_t>(code))->combining_class : 0;
}

CodePoints decompose(char32_t code) {
  if (!find(decomposing, code)) return one(code);
  utf8proc_int32_t values[4];
  int boundary = 0;
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), values, 4, UTF8PROC_DECOMPOSE, &boundary);
  if (count < 1 || count > 4) return one(code);
  CodePoints result;
  for (; result.count < count; ++result.count) {
    const auto at = static_cast<size_t>(result.count);
    result.values[at] = static_cast<char32_t>(values[at]);
  }
  return result;
}

CodePoints lower(char32_t code) {
  if (code == 0x130) return {{U'i', 0x307}, 2};
  if (const LowerCase* range = find(lower_case, code))
    return one(static_cast<char32_t>(static_cast<int32_t>(code) + range->distance));
  return one(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code))));
}

size_t valid_prefix(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    uint64_t eight = 0;
    if (text.size() - at >= 8) {
      std::memcpy(&eight, text.data() + at, 8);
      if (!(eight & 0x8080808080808080)) {
        at += 8;
        continue;
      }
    }
    const auto [good, length] = examine(text.substr(at));
    if (good != length) return at;
    at += length;
  }
  return text.size();
}

Repaired repair(std::string_view text) {
  Repaired result;
  for (size_t at = 0; at < text.size();) {
    const auto [good, length] = examine(text.substr(at));
    if (good == length) {
      result.text.append(text.substr(at, length));
    } else {
      char bytes[4];
      result.text.append(bytes, encode(replacement_character, bytes));
    }
    while (result.origins.size() < result.text.size()) result.origins.push_back(static_cast<uint32_t>(at));
    at += good;
  }
  result.origins.push_back(static_cast<uint32_t>(text.size()));
  return result;
}

}  // namespace percale::language::unicode
