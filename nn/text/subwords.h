// Pieces of words, as fastText has them: what gives a word that was never read a vector.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../../core/tensor.h"

namespace percale::language {

struct SubwordOptions {
  int64_t least = 3, most = 6;  ///< letters (UTF-8 code points) of a piece, the signs around the word among them
  int64_t buckets = 2'000'000;  ///< pieces with one hash share a vector
};

/// The buckets of a word's pieces: of `<word>` every run of `least` to `most` letters, hashed by FNV-1a as fastText's
/// program hashes (with bytes as signed numbers), modulo `buckets`. Each bucket once, in the order of the word.
/// Bojanowski and others, "Enriching Word Vectors with Subword Information", 2017.
std::vector<int32_t> subwords_of(std::string_view word, const SubwordOptions& options = {});

/// The buckets that a dictionary's words have, numbered: a table needs rows for these alone.
class Subwords {
 public:
  Subwords() = default;
  /// Errors: options out of range.
  Subwords(const std::vector<std::string>& words, const SubwordOptions& options);
  /// As saved: `used` ascending.
  Subwords(const SubwordOptions& options, std::vector<int32_t> used);

  int64_t size() const { return static_cast<int64_t>(used_.size()); }
  const std::vector<int32_t>& used() const { return used_; }
  const SubwordOptions& options() const { return options_; }
  /// The numbers of a word's pieces, without those that no word of the dictionary has.
  std::vector<int32_t> of(std::string_view word) const;

 private:
  SubwordOptions options_;
  std::vector<int32_t> used_;  ///< ascending
};

}  // namespace percale::language
