// What stands behind a WordPiece: one text into ids, without batches and tensors.
#pragma once

#include "tokenizer_file.h"
#include "wordpiece.h"

namespace percale::language {

/// The ids of a text without special tokens around it, and what each stands for: bytes or code points of the text.
struct Row {
  std::vector<int32_t> ids;
  std::vector<Span> spans;

  void clear() { ids.clear(), spans.clear(); }
};

struct WordPiece::Parts {
  explicit Parts(TokenizerParts parts);
  Parts(const Parts&) = delete;

  /// Adds a text's tokens to `row`. Any bytes. `words` is memory to work in.
  void encode(std::string_view text, OffsetUnit unit, Words& words, Row& row) const;

  const TokenizerParts file;
  const Normalizer normalizer;
  PieceTrie trie;
  int32_t unknown, first, last, padding;
  std::vector<std::string_view> tokens;  ///< by id; empty for an id that is none
  std::vector<bool> is_special;          ///< by id

 private:
  struct Found {
    size_t begin, end;
    const AddedToken* token;
  };
  Found find_added(std::string_view text, size_t from) const;
  void encode_valid(std::string_view text, bool tracked, Words& words, Row& row) const;
  void cut(const Words& words, const Words::Word& word, bool tracked, Row& row) const;

  std::vector<AddedToken> added_;  ///< longest first
  std::string added_first_bytes_;
};

}  // namespace percale::language
