// Sorted ranges of code points by what the reference tokenizer makes of them; unicode_tables.cpp is made by a script.
#pragma once

#include <cstdint>
#include <span>

namespace percale::language::unicode {

struct Range {
  char32_t first, last;
};
/// Code points whose lower case stands `distance` further on.
struct LowerCase {
  char32_t first, last;
  int32_t distance;
};

extern const std::span<const Range> removed, white_space, punctuation, ideographs, nonspacing_marks, decomposing,
    combining;
extern const std::span<const LowerCase> lower_case;

}  // namespace percale::language::unicode
