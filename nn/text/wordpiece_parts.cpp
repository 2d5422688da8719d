#include "wordpiece_parts.h"

#include <algorithm>

#include "unicode.h"

namespace percale::language {
namespace {

constexpr size_t longest_text = size_t{1}
                                << 29;  // positions in the normalised text, up to three times as long, are 32 bits

/// Where the white space that ends at `end` begins, not before `from`.
size_t skip_spaces_back(std::string_view text, size_t from, size_t end) {
  while (end > from) {
    size_t at = end - 1;
    while (at > from && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80) --at;
    const char* character = text.data() + at;
    if (!unicode::is_white_space(unicode::decode(character))) break;
    end = at;
  }
  return end;
}

size_t skip_spaces(std::string_view text, size_t at) {
  while (at < text.size()) {
    const char* next = text.data() + at;
    if (!unicode::is_white_space(unicode::decode(next))) break;
    at = static_cast<size_t>(next - text.data());
  }
  return at;
}

/// For each byte of `text`, and its end, how many code points begin before it.
std::vector<uint32_t> count_code_points(std::string_view text) {
  std::vector<uint32_t> result(text.size() + 1);
  uint32_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    result[i] = count;
    const bool is_last = i + 1 == text.size() || (static_cast<uint8_t>(text[i + 1]) & 0xc0) != 0x80;
    if (is_last) ++count;
  }
  result[text.size()] = count;
  return result;
}

}  // namespace

WordPiece::Parts::Parts(TokenizerParts parts)
    : file(std::move(parts)), normalizer(file.normalization), trie(file.entries, file.prefix), added_(file.added) {
  std::stable_sort(added_.begin(), added_.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.content.size() > b.content.size(); });
  for (const AddedToken& token : added_)
    if (added_first_bytes_.find(token.content[0]) == std::string::npos) added_first_bytes_ += token.content[0];
  const auto name = [&](int32_t id, std::string_view token) {
    const auto at = static_cast<size_t>(id);
    if (tokens.size() <= at) tokens.resize(at + 1), is_special.resize(at + 1);
    tokens[at] = token;
  };
  for (const PieceTrie::Entry& entry : file.entries) name(entry.id, entry.piece);
  for (const AddedToken& token : file.added) {
    name(token.id, token.content);
    if (token.is_special) is_special[static_cast<size_t>(token.id)] = true;
  }
  const auto id_of = [&](const std::string& token) {
    const auto found = std::find(tokens.begin(), tokens.end(), token);
    return static_cast<int32_t>(found - tokens.begin());  // the reader has seen that it is there
  };
  unknown = id_of(file.unknown), first = id_of(file.first), last = id_of(file.last), padding = id_of(file.padding);
}

void WordPiece::Parts::encode(std::string_view text, OffsetUnit unit, Words& words, Row& row) const {
  require(text.size() < longest_text, "tokenizer", "a text must have fewer than {} bytes, got {}", longest_text,
          text.size());
  const bool tracked = unit != OffsetUnit::none;
  unicode::Repaired repaired;
  const bool is_valid = unicode::valid_prefix(text) == text.size();
  if (!is_valid) repaired = unicode::repair(text);
  const std::string_view valid = is_valid ? text : std::string_view(repaired.text);
  const size_t begin = row.spans.size();
  encode_valid(valid, tracked, words, row);
  const auto renumber = [&](const std::vector<uint32_t>& positions) {
    for (size_t i = begin; i < row.spans.size(); ++i)
      row.spans[i] = {positions[row.spans[i].begin], positions[row.spans[i].end]};
  };
  if (unit == OffsetUnit::code_points) renumber(count_code_points(valid));
  if (unit == OffsetUnit::bytes && !is_valid) renumber(repaired.origins);
}

void WordPiece::Parts::encode_valid(std::string_view text, bool tracked, Words& words, Row& row) const {
  for (size_t at = 0; at < text.size();) {
    const Found found = find_added(text, at);
    words.clear(tracked);
    normalizer.split(text, static_cast<uint32_t>(at), static_cast<uint32_t>(found.begin), words);
    for (const Words::Word& word : words.words()) cut(words, word, tracked, row);
    if (found.token) {
      row.ids.push_back(found.token->id);
      if (tracked) row.spans.push_back({static_cast<uint32_t>(found.begin), static_cast<uint32_t>(found.end)});
    }
    at = found.end;
  }
}

/// The first added token from `from` on, of those the longest; the end of the text if there is none.
WordPiece::Parts::Found WordPiece::Parts::find_added(std::string_view text, size_t from) const {
  const auto next = [&](size_t at) {
    return added_first_bytes_.size() == 1 ? text.find(added_first_bytes_[0], at)
                                          : text.find_first_of(added_first_bytes_, at);
  };
  for (size_t at = next(from); at != std::string_view::npos; at = next(at + 1)) {
    for (const AddedToken& token : added_) {
      if (!text.substr(at).starts_with(token.content)) continue;
      const size_t end = at + token.content.size();
      return {token.strips_left ? skip_spaces_back(text, from, at) : at,
              token.strips_right ? skip_spaces(text, end) : end, &token};
    }
  }
  return {text.size(), text.size(), nullptr};
}

/// Greedily the longest piece, from the left; [UNK] for the word if that leaves a rest.
void WordPiece::Parts::cut(const Words& words, const Words::Word& word, bool tracked, Row& row) const {
  const std::string_view bytes(words.bytes() + word.begin, word.end - word.begin);
  const size_t count = row.ids.size();
  if (word.characters <= file.longest_word) {
    size_t at = 0;
    while (at < bytes.size()) {
      const PieceTrie::Match match = trie.longest(bytes, at);
      if (match.id < 0) break;
      row.ids.push_back(match.id);
      if (tracked)
        row.spans.push_back(
            words.origin(word.begin + static_cast<uint32_t>(at), word.begin + static_cast<uint32_t>(match.end)));
      at = match.end;
    }
    if (at == bytes.size()) return;
    row.ids.resize(count);
    if (tracked) row.spans.resize(count);
  }
  row.ids.push_back(unknown);
  if (tracked) row.spans.push_back(words.origin(word.begin, word.end));
}

}  // namespace percale::language
