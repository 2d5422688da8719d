// BERT's tokenizer: texts into token ids and back.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../../core/io/file.h"
#include "../../core/tensor.h"
#include "normalizer.h"

namespace percale::language {

/// How far the rows of a batch reach.
enum class Padding {
  longest,     ///< as far as the longest text
  max_length,  ///< `max_length` tokens, whatever the texts
};

/// What the offsets of a token count.
enum class OffsetUnit {
  none,         ///< no offsets
  code_points,  ///< as in Python, and as Hugging Face gives them
  bytes,        ///< of the std::string: text.substr(begin, end - begin) is what the token stands for
};

struct EncodeOptions {
  /// Texts are cut to so many tokens, [CLS] and [SEP] counted; 0: never. Of a pair, the longer text is cut first.
  int64_t max_length = 0;
  bool add_special_tokens = true;  ///< [CLS] text [SEP], or [CLS] text [SEP] other [SEP]
  Padding padding = Padding::longest;
  int64_t pad_to_multiple_of = 1;
  OffsetUnit offsets = OffsetUnit::none;
};

/// A batch of texts as a model takes it, on the CPU.
struct Encoding {
  Tensor input_ids;       ///< i64 [batch, length], [PAD] behind the text
  Tensor attention_mask;  ///< i64 [batch, length]: 1 where there is a token, 0 where there is padding
  Tensor token_type_ids;  ///< i64 [batch, length]: 1 for the tokens of a pair's second text
  Tensor offsets;  ///< i64 [batch, length, 2], begin and end of what each token stands for; undefined if not asked for
  int64_t truncated = 0;  ///< how many texts were cut
};

/// The same without padding, text behind text.
struct PackedEncoding {
  Tensor input_ids;       ///< i64 [tokens]
  Tensor token_type_ids;  ///< i64 [tokens]
  Tensor starts;          ///< i64 [batch + 1]: text i has the tokens starts[i] to starts[i + 1]
  Tensor offsets;         ///< i64 [tokens, 2], or undefined
  int64_t truncated = 0;
};

/// WordPiece (Wu et al. 2016, arXiv:1609.08144) as BERT uses it. Gives the ids of Hugging Face's fast tokenizer
/// (BertTokenizerFast, tokenizers 0.23): cleaning, ideographs apart, accents stripped, lower case, punctuation apart,
/// then greedily the longest piece; a word of more than 100 characters, or with a part that no piece covers, is [UNK];
/// special tokens that stand in a text are found there. What is not UTF-8 counts as U+FFFD.
///
///   const auto tokenizer = language::WordPiece::from_pretrained("all-MiniLM-L6-v2");
///   const auto encoding = tokenizer({"Hello, how are you?", "A second text"}, {.max_length = 128});
///   model(encoding.input_ids, encoding.attention_mask);
///
/// A cheap value; safe to use from many threads at once. Batches are shared among `cpu::num_threads()` threads, with
/// the same result at any number.
class WordPiece {
 public:
  /// From a folder as it is published: its `tokenizer.json`, else `vocab.txt` (and `tokenizer_config.json`, if there).
  static WordPiece from_pretrained(const std::string& folder);
  /// From a `tokenizer.json` (a name that ends in .json): vocabulary, special tokens, normalisation; the truncation and
  /// padding in it are passed over. Or from a `vocab.txt`, a piece a line, with the given normalisation. An error names
  /// the file and what is wrong: a piece twice, no [UNK], [CLS], [SEP] or [PAD], not UTF-8, not JSON, another kind of
  /// tokenizer.
  static WordPiece from_file(const std::string& path, const Normalization& normalization = {});
  static WordPiece from_vocabulary(const io::Source& source, const Normalization& normalization = {});
  static WordPiece from_json(const io::Source& source);

  /// Writes `vocab.txt` and `tokenizer_config.json`, as transformers reads them; the folder is made if it is not there.
  /// Each file appears whole or not at all.
  void save_pretrained(const std::string& folder) const;

  /// A batch of texts; of texts and their pairs (as many); of one text. Errors: max_length too small for the special
  /// tokens, padding to a max_length that is not given, a text of 512 MB.
  Encoding operator()(const std::vector<std::string>& texts, const EncodeOptions& options = {}) const;
  template <std::same_as<std::vector<std::string>> Texts>  // a template, so that {.max_length = 128} is no pair
  Encoding operator()(const std::vector<std::string>& texts, const Texts& pairs,
                      const EncodeOptions& options = {}) const {
    return encode_pairs(texts, pairs, options);
  }
  template <std::convertible_to<std::string_view> Text>
  Encoding operator()(const Text& text, const EncodeOptions& options = {}) const {
    const std::string_view one = text;
    return encode({&one, 1}, {}, options);
  }
  /// As above; `pairs` may be empty.
  Encoding encode(std::span<const std::string_view> texts, std::span<const std::string_view> pairs,
                  const EncodeOptions& options = {}) const;
  PackedEncoding encode_packed(std::span<const std::string_view> texts, std::span<const std::string_view> pairs = {},
                               const EncodeOptions& options = {}) const;
  PackedEncoding encode_packed(const std::vector<std::string>& texts, const EncodeOptions& options = {}) const;

  /// The ids of one text, [CLS] and [SEP] included if so wanted.
  std::vector<int64_t> ids(std::string_view text, bool add_special_tokens = true) const;
  /// The pieces of one text, as the vocabulary has them: `token`, `##izer`.
  std::vector<std::string> tokenize(std::string_view text) const;
  /// The text of `ids`: pieces joined, spaces before punctuation taken out. Ids that are none are passed over.
  std::string decode(std::span<const int64_t> ids, bool skip_special_tokens = false) const;

  /// One more than the largest id: the rows of the embedding table that goes with it.
  int64_t vocabulary_size() const;
  /// The piece of an id; an error for one that is none.
  std::string token(int64_t id) const;
  /// The id of a piece or special token; -1 if it is none.
  int64_t id(std::string_view token) const;
  int64_t padding_id() const;
  const Normalization& normalization() const;

 private:
  struct Parts;
  Encoding encode_pairs(const std::vector<std::string>& texts, const std::vector<std::string>& pairs,
                        const EncodeOptions& options) const;
  explicit WordPiece(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;
};

}  // namespace percale::language
