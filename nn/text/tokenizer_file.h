// The files in which a tokenizer of BERT's kind comes: vocab.txt (with tokenizer_config.json) and tokenizer.json.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../../core/io/file.h"
#include "normalizer.h"
#include "piece_trie.h"

namespace percale::language {

/// A token that is found in the raw text, before anything is normalised.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool is_special = true;                          ///< left out by `decode` on request
  bool strips_left = false, strips_right = false;  ///< takes the white space beside it along
};

/// What a tokenizer is made of.
struct TokenizerParts {
  /// The memory behind `entries`, at an address that stays.
  std::unique_ptr<std::string> pieces = std::make_unique<std::string>();
  std::vector<PieceTrie::Entry> entries;  ///< the model's pieces by their bytes: valid UTF-8, each piece and id once
  std::vector<AddedToken> added;
  Normalization normalization;
  std::string unknown = "[UNK]", first = "[CLS]", last = "[SEP]", padding = "[PAD]", prefix = "##";
  int64_t longest_word = 100;  ///< in characters; a longer one is unknown
  bool cleans_up = true;       ///< `decode` takes out spaces before punctuation
};

/// A piece a line, its number the id; spaces at its end do not count, nor do empty lines at the end of the file. [UNK],
/// [CLS], [SEP] and [PAD] must be there; [MASK] is found in texts too, if it is. Errors name the file and the line: a
/// piece twice, an empty one, bytes that are not UTF-8, more than 2^20 pieces, 64 MB.
TokenizerParts read_vocabulary(const io::Source& source, const Normalization& normalization);

/// The vocabulary, the special tokens and the flags of normalisation; its truncation and padding, which belong to a
/// use, are passed over. Errors name the file and the field: not JSON, not BERT's kind of tokenizer, a piece or an id
/// twice.
TokenizerParts read_tokenizer_json(const io::Source& source);

/// What a `tokenizer_config.json` says of normalisation: do_lower_case, strip_accents, tokenize_chinese_chars.
Normalization read_tokenizer_config(const io::Source& source);

}  // namespace percale::language
