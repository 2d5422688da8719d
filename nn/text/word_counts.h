// How often each word of a text stands there: exact, in memory that depends on the words and not on the text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../../core/io/file.h"

namespace percale::language {

struct CountOptions {
  bool lower = false;                                     ///< fold to lower case first
  std::vector<std::string> drop = {};                     ///< words that are not counted at all
  int64_t most = 100'000;                                 ///< words to keep
  uint64_t min_count = 1;                                 ///< rarer words count as others
  std::function<void(uint64_t, uint64_t)> progress = {};  ///< bytes done and in all; may throw to stop
};

struct WordCounts {
  std::vector<std::pair<std::string, uint64_t>> words;  ///< the most frequent first; where counts agree, by their bytes
  uint64_t others = 0;                                  ///< words of the text that are not among them
  uint64_t distinct = 0;  ///< different words of the text (those over `longest_word` bytes are not told apart)
};

/// Counts the words of a UTF-8 text on all threads; the result does not depend on their number. Needs some 50 bytes
/// a distinct word. Errors name file and byte: invalid UTF-8, a NUL; an empty text.
WordCounts count_words(const io::Source& text, const CountOptions& options = {});

/// 64 well-mixed bits of a word, the same on every machine.
uint64_t hash_of(std::string_view word);

}  // namespace percale::language
