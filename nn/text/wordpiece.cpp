#include "wordpiece.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <numeric>
#include <utility>

#include "../../core/cpu/threads.h"
#include "../../core/trace.h"
#include "wordpiece_parts.h"

namespace percale::language {
namespace {

constexpr int64_t texts_per_piece = 32;  // of the work; a thread's share of a batch

/// The rows of consecutive texts, special tokens included, one behind the other.
struct Piece {
  Row rows;
  std::vector<size_t> lengths, first_lengths;  ///< of a row, and of its part of type 0
  int64_t truncated = 0;
};

/// How much of two texts of n and m tokens stays: together at most `limit`, the longer one cut first, as the reference
/// cuts.
std::pair<size_t, size_t> longest_first(size_t n, size_t m, size_t limit) {
  if (n + m <= limit) return {n, m};
  const size_t shorter = std::min(n, m), half = limit / 2;
  if (2 * shorter > limit) return n <= m ? std::pair(half, limit - half) : std::pair(limit - half, half);
  return n <= m ? std::pair(n, limit - n) : std::pair(limit - m, m);
}

void append(const Row& row, size_t count, Row& target) {
  const auto size = static_cast<std::ptrdiff_t>(count);
  target.ids.insert(target.ids.end(), row.ids.begin(), row.ids.begin() + size);
  if (!row.spans.empty()) target.spans.insert(target.spans.end(), row.spans.begin(), row.spans.begin() + size);
}

void append(int32_t special, bool tracked, Row& target) {
  target.ids.push_back(special);
  if (tracked) target.spans.push_back({});
}

void check(const EncodeOptions& options, size_t texts, size_t pairs) {
  const int64_t special = !options.add_special_tokens ? 0 : pairs ? 3 : 2;
  require(pairs == 0 || pairs == texts, "tokenizer", "needs a pair for each of {} texts, got {}", texts, pairs);
  require(options.max_length == 0 || options.max_length >= std::max<int64_t>(special, 1), "tokenizer",
          "max_length must be 0 or at least {}, got {}", std::max<int64_t>(special, 1), options.max_length);
  require(options.padding != Padding::max_length || options.max_length > 0, "tokenizer",
          "padding to max_length needs a max_length, got {}", options.max_length);
  require(options.pad_to_multiple_of >= 1, "tokenizer", "pad_to_multiple_of must be at least 1, got {}",
          options.pad_to_multiple_of);
}

std::vector<std::string_view> views(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

/// Writes a row's ids, types, mask and offsets; without a mask, nothing but the row.
struct Target {
  int64_t* ids;
  int64_t* types;
  int64_t* mask;
  int64_t* offsets;

  void write(const Piece& piece, size_t begin, size_t length, size_t first_length, size_t at) const {
    for (size_t i = 0; i < length; ++i) {
      ids[at + i] = piece.rows.ids[begin + i];
      types[at + i] = i >= first_length;
      if (mask) mask[at + i] = 1;
      if (!offsets) continue;
      offsets[2 * (at + i)] = piece.rows.spans[begin + i].begin;
      offsets[2 * (at + i) + 1] = piece.rows.spans[begin + i].end;
    }
  }
  void pad(int64_t padding, size_t begin, size_t end) const {
    std::fill(ids + begin, ids + end, padding);
    std::fill(types + begin, types + end, 0);
    std::fill(mask + begin, mask + end, 0);
    if (offsets) std::fill(offsets + 2 * begin, offsets + 2 * end, 0);
  }
};

}  // namespace

namespace {

/// Texts as rows of ids, in pieces of work that do not depend on the number of threads.
class Batch {
 public:
  using EncodeText = std::function<void(std::string_view, Words&, Row&)>;

  Batch(std::span<const std::string_view> texts, std::span<const std::string_view> pairs, const EncodeOptions& options,
        std::array<int32_t, 2> special, const EncodeText& encode)
      : texts_(texts), pairs_(pairs), options_(options), special_(special) {
    check(options, texts.size(), pairs.size());
    const auto count = static_cast<int64_t>(texts.size());
    pieces_.resize(static_cast<size_t>((count + texts_per_piece - 1) / texts_per_piece));
    cpu::parallel_for(count, texts_per_piece, [&](int64_t begin, int64_t end) {
      encode_piece(static_cast<size_t>(begin), static_cast<size_t>(end), encode,
                   pieces_[static_cast<size_t>(begin / texts_per_piece)]);
    });
  }

  size_t longest() const {
    size_t result = 0;
    for (const Piece& piece : pieces_)
      for (size_t length : piece.lengths) result = std::max(result, length);
    return result;
  }
  int64_t truncated() const {
    return std::accumulate(pieces_.begin(), pieces_.end(), int64_t{0},
                           [](int64_t sum, const Piece& piece) { return sum + piece.truncated; });
  }
  /// Row by row: where each begins, and at last the number of tokens.
  std::vector<int64_t> starts() const {
    std::vector<int64_t> result = {0};
    for (const Piece& piece : pieces_)
      for (size_t length : piece.lengths) result.push_back(result.back() + static_cast<int64_t>(length));
    return result;
  }
  /// Calls `body(piece, begin, length, first_length, row)` for each row, which begins at token `begin` of its piece.
  template <class Body>
  void for_each_row(const Body& body) const {
    cpu::parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t number, int64_t) {
      const Piece& piece = pieces_[static_cast<size_t>(number)];
      size_t begin = 0;
      for (size_t i = 0; i < piece.lengths.size(); ++i) {
        body(piece, begin, piece.lengths[i], piece.first_lengths[i], static_cast<size_t>(number * texts_per_piece) + i);
        begin += piece.lengths[i];
      }
    });
  }

 private:
  void encode_piece(size_t begin, size_t end, const EncodeText& encode, Piece& piece) const {
    const bool special = options_.add_special_tokens, tracked = options_.offsets != OffsetUnit::none;
    const size_t around = !special ? 0 : pairs_.empty() ? 2 : 3;
    const size_t limit = options_.max_length ? static_cast<size_t>(options_.max_length) - around : SIZE_MAX;
    Words words;
    Row text, pair;
    for (size_t i = begin; i < end; ++i) {
      text.clear(), pair.clear();
      encode(texts_[i], words, text);
      if (!pairs_.empty()) encode(pairs_[i], words, pair);
      const auto [n, m] = longest_first(text.ids.size(), pair.ids.size(), limit);
      piece.truncated += n + m < text.ids.size() + pair.ids.size();
      const size_t start = piece.rows.ids.size();
      if (special) append(special_[0], tracked, piece.rows);
      append(text, n, piece.rows);
      if (special) append(special_[1], tracked, piece.rows);
      piece.first_lengths.push_back(piece.rows.ids.size() - start);
      append(pair, m, piece.rows);
      if (special && !pairs_.empty()) append(special_[1], tracked, piece.rows);
      piece.lengths.push_back(piece.rows.ids.size() - start);
    }
  }

  const std::span<const std::string_view> texts_, pairs_;
  const EncodeOptions& options_;
  const std::array<int32_t, 2> special_;
  std::vector<Piece> pieces_;
};

Tensor integers(const Shape& shape) { return Tensor::empty(shape, {i64, cpu_device}); }

int64_t* data_or_null(const Tensor& tensor) { return tensor.defined() ? tensor.data<int64_t>() : nullptr; }

}  // namespace

WordPiece WordPiece::from_pretrained(const std::string& folder) {
  const std::filesystem::path path = folder;
  if (std::filesystem::exists(path / "tokenizer.json")) return from_file((path / "tokenizer.json").string());
  require(std::filesystem::exists(path / "vocab.txt"), "tokenizer",
          "{}: expected a folder with tokenizer.json or vocab.txt, found neither", folder);
  Normalization normalization;
  const std::filesystem::path config = path / "tokenizer_config.json";
  if (std::filesystem::exists(config)) normalization = read_tokenizer_config(io::Source(config.string()));
  return from_file((path / "vocab.txt").string(), normalization);
}

WordPiece WordPiece::from_file(const std::string& path, const Normalization& normalization) {
  const io::Source source(path);
  return path.ends_with(".json") ? from_json(source) : from_vocabulary(source, normalization);
}

WordPiece WordPiece::from_vocabulary(const io::Source& source, const Normalization& normalization) {
  return WordPiece(std::make_shared<const Parts>(read_vocabulary(source, normalization)));
}

WordPiece WordPiece::from_json(const io::Source& source) {
  return WordPiece(std::make_shared<const Parts>(read_tokenizer_json(source)));
}

Encoding WordPiece::encode(std::span<const std::string_view> texts, std::span<const std::string_view> pairs,
                           const EncodeOptions& options) const {
  const Operation operation{"tokenize"};
  const Parts& parts = *parts_;
  const Batch batch(
      texts, pairs, options, {parts.first, parts.last},
      [&](std::string_view text, Words& words, Row& row) { parts.encode(text, options.offsets, words, row); });
  const auto multiple = static_cast<size_t>(options.pad_to_multiple_of);
  size_t length = options.padding == Padding::max_length ? static_cast<size_t>(options.max_length) : batch.longest();
  length = (length + multiple - 1) / multiple * multiple;
  const auto rows = static_cast<int64_t>(texts.size()), columns = static_cast<int64_t>(length);
  Encoding result{
      integers({rows, columns}), integers({rows, columns}), integers({rows, columns}), {}, batch.truncated()};
  if (options.offsets != OffsetUnit::none) result.offsets = integers({rows, columns, 2});
  const Target target{result.input_ids.data<int64_t>(), result.token_type_ids.data<int64_t>(),
                      result.attention_mask.data<int64_t>(), data_or_null(result.offsets)};
  batch.for_each_row([&](const Piece& piece, size_t begin, size_t count, size_t first_count, size_t row) {
    target.write(piece, begin, count, first_count, row * length);
    target.pad(parts.padding, row * length + count, (row + 1) * length);
  });
  return result;
}

PackedEncoding WordPiece::encode_packed(std::span<const std::string_view> texts,
                                        std::span<const std::string_view> pairs, const EncodeOptions& options) const {
  const Operation operation{"tokenize"};
  const Parts& parts = *parts_;
  const Batch batch(
      texts, pairs, options, {parts.first, parts.last},
      [&](std::string_view text, Words& words, Row& row) { parts.encode(text, options.offsets, words, row); });
  const std::vector<int64_t> starts = batch.starts();
  const int64_t tokens = starts.back();
  PackedEncoding result{
      integers({tokens}), integers({tokens}), integers({static_cast<int64_t>(starts.size())}), {}, batch.truncated()};
  std::copy(starts.begin(), starts.end(), result.starts.data<int64_t>());
  if (options.offsets != OffsetUnit::none) result.offsets = integers({tokens, 2});
  const Target target{result.input_ids.data<int64_t>(), result.token_type_ids.data<int64_t>(), nullptr,
                      data_or_null(result.offsets)};
  batch.for_each_row([&](const Piece& piece, size_t begin, size_t count, size_t first_count, size_t row) {
    target.write(piece, begin, count, first_count, static_cast<size_t>(starts[row]));
  });
  return result;
}

Encoding WordPiece::operator()(const std::vector<std::string>& texts, const EncodeOptions& options) const {
  return encode(views(texts), {}, options);
}

Encoding WordPiece::encode_pairs(const std::vector<std::string>& texts, const std::vector<std::string>& pairs,
                                 const EncodeOptions& options) const {
  require(texts.size() == pairs.size(), "tokenizer", "needs a pair for each of {} texts, got {}", texts.size(),
          pairs.size());
  return encode(views(texts), views(pairs), options);
}

PackedEncoding WordPiece::encode_packed(const std::vector<std::string>& texts, const EncodeOptions& options) const {
  return encode_packed(views(texts), {}, options);
}

std::vector<int64_t> WordPiece::ids(std::string_view text, bool add_special_tokens) const {
  Words words;
  Row row;
  if (add_special_tokens) row.ids.push_back(parts_->first);
  parts_->encode(text, OffsetUnit::none, words, row);
  if (add_special_tokens) row.ids.push_back(parts_->last);
  return {row.ids.begin(), row.ids.end()};
}

std::vector<std::string> WordPiece::tokenize(std::string_view text) const {
  std::vector<std::string> result;
  for (int64_t id : ids(text, false)) result.push_back(token(id));
  return result;
}

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// What the reference's decoder does to each piece, the space before it included.
void clean_up(std::string& piece) {
  static constexpr std::array<std::array<std::string_view, 2>, 11> changes = {{{" .", "."},
                                                                               {" ?", "?"},
                                                                               {" !", "!"},
                                                                               {" ,", ","},
                                                                               {" ' ", "'"},
                                                                               {" n't", "n't"},
                                                                               {" 'm", "'m"},
                                                                               {" do not", " don't"},
                                                                               {" 's", "'s"},
                                                                               {" 've", "'ve"},
                                                                               {" 're", "'re"}}};
  for (const auto& [from, to] : changes) replace_all(piece, from, to);
}

}  // namespace

std::string WordPiece::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
  const Parts& parts = *parts_;
  std::string result;
  bool is_first = true;
  for (int64_t id : ids) {
    if (id < 0 || id >= vocabulary_size()) continue;
    const std::string_view token = parts.tokens[static_cast<size_t>(id)];
    if (token.empty() || (skip_special_tokens && parts.is_special[static_cast<size_t>(id)])) continue;
    const bool continues = !is_first && token.starts_with(parts.file.prefix);
    std::string piece(is_first || continues ? "" : " ");
    piece += token.substr(continues ? parts.file.prefix.size() : 0);
    is_first = false;
    if (parts.file.cleans_up) clean_up(piece);
    result += piece;
  }
  return result;
}

int64_t WordPiece::vocabulary_size() const { return static_cast<int64_t>(parts_->tokens.size()); }

std::string WordPiece::token(int64_t id) const {
  const bool is_one = id >= 0 && id < vocabulary_size() && !parts_->tokens[static_cast<size_t>(id)].empty();
  require(is_one, "tokenizer", "id {} is none of the {} in the vocabulary", id, vocabulary_size());
  return std::string(parts_->tokens[static_cast<size_t>(id)]);
}

int64_t WordPiece::id(std::string_view token) const {
  for (const AddedToken& added : parts_->file.added)
    if (added.content == token) return added.id;
  return parts_->trie.find(token);
}

int64_t WordPiece::padding_id() const { return parts_->padding; }

const Normalization& WordPiece::normalization() const { return parts_->file.normalization; }

}  // namespace percale::language
