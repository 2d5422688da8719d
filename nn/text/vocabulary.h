// A dictionary: the most frequent words of a text, each with a number, and one entry for all others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "word_counts.h"

namespace percale::language {

/// Words 0, 1, 2, ... by frequency (where counts agree, by their bytes), then one entry for all other words.
///
///     auto vocabulary = language::Vocabulary::of_text("wiki.txt", {.lower = true, .most = 100'000});
///     vocabulary["hello"];               // its index, or vocabulary.others()
///     vocabulary.ids("hello world");     // {7, 88}
class Vocabulary {
 public:
  Vocabulary() = default;
  /// Errors: no words, a word twice, empty or with white space, counts of 0 or that rise.
  explicit Vocabulary(WordCounts counts);
  /// Counts the words of a file (see count_words).
  static Vocabulary of_text(const std::string& path, const CountOptions& options = {});

  /// Entries: the words and the one for all others.
  int64_t size() const { return others() + 1; }
  /// The entry of every word that is not in the dictionary: the last one.
  int64_t others() const { return static_cast<int64_t>(words_.size()); }

  bool contains(std::string_view word) const { return (*this)[word] != others(); }
  /// The word's index, or others().
  int64_t operator[](std::string_view word) const;
  /// The word of an index; `<other>` for others(). An error if there is none such.
  const std::string& word(int64_t index) const;
  /// How often the text has the word, or all others together.
  uint64_t count(int64_t index) const;
  /// The words by index, without the entry for the others.
  const std::vector<std::string>& words() const { return words_; }

  /// The indices of the words of a sentence, which stand between white space.
  std::vector<int64_t> ids(std::string_view sentence) const;

  /// A text file: `vocabulary WORDS OTHERS`, then a line `WORD COUNT` for each word. It appears whole or not at all.
  void save(const std::string& path) const;
  /// Errors name file and line.
  static Vocabulary load(const std::string& path);
  static Vocabulary load(const io::Source& source);

 private:
  std::vector<std::string> words_;
  std::vector<uint64_t> counts_ = {0};
  std::vector<int32_t> slots_;  ///< by hash: an index into words_, or -1
};

}  // namespace percale::language
