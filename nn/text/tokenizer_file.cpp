#include "tokenizer_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "../../core/error.h"
#include "unicode.h"

namespace percale::language {
namespace {

using Json = nlohmann::json;
using io::shown;

constexpr uint64_t longest_file = 64'000'000;
constexpr int64_t most_pieces = 1 << 20;
constexpr int deepest = 16;               // JSON within JSON
constexpr int64_t most_values = 200'000;  // of JSON, beside the vocabulary

[[noreturn]] void refuse(const io::Source& source, std::string_view pattern,
                         std::initializer_list<std::string> values) {
  fail("tokenizer", "{}: {}", {source.name(), format_text(pattern, values)});
}

std::string read_all(const io::Source& source) {
  if (source.size() > longest_file)
    refuse(source, "expected at most {} bytes, found {}", {text(longest_file), text(source.size())});
  std::string bytes(source.size(), '\0');
  source.read_at(0, bytes.data(), bytes.size());
  return bytes;
}

/// The line without the white space at its end.
std::string_view trim_end(std::string_view line) {
  while (!line.empty()) {
    const char* at = line.data() + line.size() - 1;
    while (at > line.data() && (static_cast<uint8_t>(*at) & 0xc0) == 0x80) --at;
    const char* const character = at;
    if (!unicode::is_white_space(unicode::decode(at))) break;
    line = line.substr(0, static_cast<size_t>(character - line.data()));
  }
  return line;
}

/// Sorts by piece; refuses a piece twice, by what `pattern` says of the piece and the two numbers.
void sort_by_piece(const io::Source& source, std::vector<PieceTrie::Entry>& entries, std::string_view pattern,
                   int32_t first_number) {
  std::sort(entries.begin(), entries.end(), [](const PieceTrie::Entry& a, const PieceTrie::Entry& b) {
    const int order = a.piece.compare(b.piece);
    return order ? order < 0 : a.id < b.id;
  });
  const auto twice = std::adjacent_find(entries.begin(), entries.end(),
                                        [](const auto& a, const auto& b) { return a.piece == b.piece; });
  if (twice == entries.end()) return;
  refuse(source, pattern, {shown(twice->piece), text(twice->id + first_number), text(twice[1].id + first_number)});
}

/// The id among the model's sorted pieces, or -1.
int32_t find_piece(const TokenizerParts& parts, std::string_view piece) {
  const auto found = std::lower_bound(parts.entries.begin(), parts.entries.end(), piece,
                                      [](const PieceTrie::Entry& a, std::string_view b) { return a.piece < b; });
  return found != parts.entries.end() && found->piece == piece ? found->id : -1;
}

int32_t find(const TokenizerParts& parts, std::string_view piece) {
  for (const AddedToken& token : parts.added)
    if (token.content == piece) return token.id;
  return find_piece(parts, piece);
}

/// The member of an object, or null.
const Json& member(const Json& object, const char* name) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(name);
  return found == object.end() ? null : *found;
}

bool read_flag(const io::Source& source, const Json& object, const char* name, bool otherwise) {
  const Json& value = member(object, name);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean()) refuse(source, "{}: expected true or false, found {}", {name, shown(value.dump())});
  return value.get<bool>();
}

std::string read_text(const io::Source& source, const Json& object, const char* name, const std::string& otherwise) {
  const Json& value = member(object, name);
  if (value.is_null()) return otherwise;
  if (!value.is_string()) refuse(source, "{}: expected a text, found {}", {name, shown(value.dump())});
  return value.get<std::string>();
}

void require_type(const io::Source& source, const Json& document, const char* field, std::string_view expected) {
  const Json& type = member(member(document, field), "type");
  if (!type.is_string() || type.get_ref<const std::string&>() != expected)
    refuse(source, "{}: expected the type {}, found {}",
           {field, text(expected), type.is_null() ? "none" : shown(type.dump())});
}

void require_special_tokens(const io::Source& source, const TokenizerParts& parts) {
  for (const std::string* token : {&parts.unknown, &parts.first, &parts.last, &parts.padding})
    if (find(parts, *token) < 0)
      refuse(source, "expected the token {} among the {}, found none", {*token, text(parts.entries.size())});
}

}  // namespace

TokenizerParts read_vocabulary(const io::Source& source, const Normalization& normalization) {
  TokenizerParts parts;
  parts.normalization = normalization;
  *parts.pieces = read_all(source);
  const std::string_view bytes = *parts.pieces;
  if (const size_t valid = unicode::valid_prefix(bytes); valid < bytes.size())
    refuse(source, "line {}: expected UTF-8, found byte {} at position {}",
           {text(1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(valid), '\n')),
            text(static_cast<int>(static_cast<uint8_t>(bytes[valid]))), text(valid)});
  int32_t line = 0, empty = -1;
  for (size_t begin = 0; begin < bytes.size(); ++line) {
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    const std::string_view piece = trim_end(bytes.substr(begin, end - begin));
    begin = end + 1;
    if (piece.empty()) {
      if (empty < 0) empty = line;
      continue;
    }
    if (empty >= 0) refuse(source, "line {}: expected a token, found none", {text(empty + 1)});
    if (line == most_pieces) refuse(source, "expected at most {} tokens, found more", {text(most_pieces)});
    parts.entries.push_back({piece, line});
  }
  sort_by_piece(source, parts.entries, "expected each token once, found {} in lines {} and {}", 1);
  require_special_tokens(source, parts);
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    if (const int32_t id = find(parts, token); id >= 0) parts.added.push_back({token, id, true, false, false});
  return parts;
}

namespace {

/// Takes the vocabulary out of the events of nlohmann's parser, so that a piece twice is seen and no tree is built of
/// it.
class JsonReader {
 public:
  JsonReader(const io::Source& source, TokenizerParts& parts) : source_(source), parts_(parts) {}

  Json read(const std::string& bytes) {
    Json result;
    try {
      result = Json::parse(bytes, [this](int depth, Json::parse_event_t event, Json& value) {
        return keep(static_cast<size_t>(depth), event, value);
      });
    } catch (const Json::exception& error) {
      const std::string reason = error.what();
      refuse(source_, "expected JSON, found an error: {}",
             {reason.substr(std::min(reason.size(), reason.find("] ") + 2))});
    }
    for (size_t i = 0; i < places_.size(); ++i)
      parts_.entries[i].piece = std::string_view(*parts_.pieces).substr(places_[i].first, places_[i].second);
    return result;
  }

 private:
  bool is_in_vocabulary(size_t depth) const {
    return depth == 3 && path_.size() == 3 && path_[0] == "model" && path_[1] == "vocab";
  }

  /// Whether the parser shall keep what it has met.
  bool keep(size_t depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    if (depth > deepest) refuse(source_, "expected at most {} levels of brackets, found more", {text(deepest)});
    if (event == Event::key) {
      path_.resize(depth);
      path_.back() = value.get_ref<const std::string&>();
      if (is_in_vocabulary(depth)) return false;
      if (depth <= 2 && path_[0] == "model" && (depth == 1 || path_[1] == "vocab") && ++seen_[depth - 1] > 1)
        refuse(source_, "expected one {}, found two", {depth == 1 ? "model" : "model.vocab"});
      return true;
    }
    if (path_.empty()) return true;
    if (is_in_vocabulary(depth)) {
      add_piece(path_[2], event == Event::value ? value : Json());
      return true;
    }
    if (++kept_ > most_values)
      refuse(source_, "expected at most {} values beside the tokens, found more", {text(most_values)});
    return true;
  }

  void add_piece(const std::string& piece, const Json& id) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= most_pieces)
      refuse(source_, "model.vocab: expected an id of 0 to {} for {}, found {}",
             {text(most_pieces - 1), shown(piece), id.is_null() ? "none" : shown(id.dump())});
    if (parts_.entries.size() == most_pieces)
      refuse(source_, "model.vocab: expected at most {} tokens, found more", {text(most_pieces)});
    places_.emplace_back(parts_.pieces->size(), piece.size());
    *parts_.pieces += piece;
    parts_.entries.push_back({{}, id.get<int32_t>()});
  }

  const io::Source& source_;
  TokenizerParts& parts_;
  std::vector<std::string> path_;
  std::array<int, 2> seen_{};
  int64_t kept_ = 0;
  std::vector<std::pair<size_t, size_t>> places_;  ///< of the pieces in their memory, which still moves
};

void read_model(const io::Source& source, const Json& document, TokenizerParts& parts) {
  const Json& model = member(document, "model");
  if (!model.is_object()) refuse(source, "expected the field model, found none", {});
  if (!member(model, "type").is_null()) require_type(source, document, "model", "WordPiece");
  if (!member(model, "vocab").is_object())
    refuse(source, "model.vocab: expected an object of tokens and ids, found none", {});
  parts.unknown = read_text(source, model, "unk_token", parts.unknown);
  parts.prefix = read_text(source, model, "continuing_subword_prefix", parts.prefix);
  const Json& longest = member(model, "max_input_chars_per_word");
  if (longest.is_null()) return;
  if (!longest.is_number_unsigned() || longest.get<uint64_t>() > most_pieces)
    refuse(source, "model.max_input_chars_per_word: expected a number of 0 to {}, found {}",
           {text(most_pieces), shown(longest.dump())});
  parts.longest_word = longest.get<int64_t>();
}

void read_normalizer(const io::Source& source, const Json& document, Normalization& normalization) {
  require_type(source, document, "normalizer", "BertNormalizer");
  const Json& normalizer = member(document, "normalizer");
  normalization.clean_text = read_flag(source, normalizer, "clean_text", true);
  normalization.handle_chinese_chars = read_flag(source, normalizer, "handle_chinese_chars", true);
  normalization.lowercase = read_flag(source, normalizer, "lowercase", true);
  if (!member(normalizer, "strip_accents").is_null())
    normalization.strip_accents = read_flag(source, normalizer, "strip_accents", true);
}

void read_added_tokens(const io::Source& source, const Json& document, TokenizerParts& parts) {
  const Json& tokens = member(document, "added_tokens");
  if (tokens.is_null()) return;
  if (!tokens.is_array()) refuse(source, "added_tokens: expected a list, found {}", {shown(tokens.dump())});
  for (const Json& token : tokens) {
    const std::string content = read_text(source, token, "content", "");
    const Json& id = member(token, "id");
    if (content.empty() || !id.is_number_unsigned() || id.get<uint64_t>() >= most_pieces)
      refuse(source, "added_tokens: expected a content and an id of 0 to {}, found {}",
             {text(most_pieces - 1), shown(token.dump())});
    if (read_flag(source, token, "normalized", false) || read_flag(source, token, "single_word", false))
      refuse(source, "added_tokens: expected normalized and single_word to be false, found {}", {shown(token.dump())});
    parts.added.push_back({content, id.get<int32_t>(), read_flag(source, token, "special", false),
                           read_flag(source, token, "lstrip", false), read_flag(source, token, "rstrip", false)});
  }
}

/// Names the first and the last token of BERT's `[CLS] A [SEP] B [SEP]`; an error for any other form.
void read_post_processor(const io::Source& source, const Json& document, TokenizerParts& parts) {
  const Json& processor = member(document, "post_processor");
  const auto token = [](const Json& item) { return member(member(item, "SpecialToken"), "id"); };
  const auto is = [](const Json& item, const char* id, int type) {
    return member(item, "type_id") == type && member(item, "id") == id;
  };
  if (member(processor, "type") == "BertProcessing") {
    const Json &first = member(processor, "cls"), &last = member(processor, "sep");
    if (first.is_array() && !first.empty() && first[0].is_string()) parts.first = first[0];
    if (last.is_array() && !last.empty() && last[0].is_string()) parts.last = last[0];
    return;
  }
  require_type(source, document, "post_processor", "TemplateProcessing");
  const Json& pair = member(processor, "pair");
  if (!pair.is_array() || pair.size() != 5 || !token(pair[0]).is_string() || !token(pair[2]).is_string())
    refuse(source, "post_processor.pair: expected BERT's [CLS] A [SEP] B [SEP], found {}", {shown(pair.dump())});
  parts.first = token(pair[0]);
  parts.last = token(pair[2]);
  const char *first = parts.first.c_str(), *last = parts.last.c_str();
  const bool is_berts = is(member(pair[0], "SpecialToken"), first, 0) && is(member(pair[1], "Sequence"), "A", 0) &&
                        is(member(pair[2], "SpecialToken"), last, 0) && is(member(pair[3], "Sequence"), "B", 1) &&
                        is(member(pair[4], "SpecialToken"), last, 1);
  if (!is_berts)
    refuse(source, "post_processor.pair: expected BERT's [CLS] A [SEP] B [SEP] of types 0 and 1, found {}",
           {shown(pair.dump())});
}

/// An added token may name a piece of the model or stand beside them; no two may share an id.
void require_one_id_each(const io::Source& source, TokenizerParts& parts) {
  sort_by_piece(source, parts.entries, "model.vocab: expected each token once, found {} with the ids {} and {}", 0);
  std::vector<std::string_view> owners;
  const auto claim = [&](const char* field, std::string_view piece, int32_t id) {
    const auto at = static_cast<size_t>(id);
    if (owners.size() <= at) owners.resize(at + 1);
    if (owners[at].data() && owners[at] != piece)
      refuse(source, "{}: expected each id once, found {} for {} and {}",
             {field, text(id), shown(owners[at]), shown(piece)});
    owners[at] = piece;
  };
  for (const PieceTrie::Entry& entry : parts.entries) claim("model.vocab", entry.piece, entry.id);
  std::map<std::string_view, int32_t> added;
  for (const AddedToken& token : parts.added) {
    claim("added_tokens", token.content, token.id);
    const int32_t piece = find_piece(parts, token.content);
    const int32_t other = piece >= 0 ? piece : added.emplace(token.content, token.id).first->second;
    if (other != token.id)
      refuse(source, "added_tokens: expected one id for {}, found {} and {}",
             {shown(token.content), text(other), text(token.id)});
  }
}

}  // namespace

TokenizerParts read_tokenizer_json(const io::Source& source) {
  TokenizerParts parts;
  const Json document = JsonReader(source, parts).read(read_all(source));
  if (!document.is_object()) refuse(source, "expected an object, found {}", {shown(document.dump())});
  read_model(source, document, parts);
  read_normalizer(source, document, parts.normalization);
  require_type(source, document, "pre_tokenizer", "BertPreTokenizer");
  read_post_processor(source, document, parts);
  read_added_tokens(source, document, parts);
  parts.cleans_up = read_flag(source, member(document, "decoder"), "cleanup", true);
  require_one_id_each(source, parts);
  require_special_tokens(source, parts);
  return parts;
}

Normalization read_tokenizer_config(const io::Source& source) {
  TokenizerParts no_vocabulary;
  const Json document = JsonReader(source, no_vocabulary).read(read_all(source));
  Normalization result;
  result.lowercase = read_flag(source, document, "do_lower_case", true);
  result.handle_chinese_chars = read_flag(source, document, "tokenize_chinese_chars", true);
  if (!member(document, "strip_accents").is_null())
    result.strip_accents = read_flag(source, document, "strip_accents", true);
  return result;
}

}  // namespace percale::language
