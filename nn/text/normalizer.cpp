#include "normalizer.h"

#include <algorithm>
#include <utility>

#include "unicode.h"

namespace percale::language {
namespace {

constexpr size_t page_count = 0x110000 / 256;

}  // namespace

/// Writes characters to Words; the one place that knows how words begin and end.
class Splitter {
 public:
  explicit Splitter(Words& words) : words_(words) {}

  /// Room for `bytes` more.
  void reserve(size_t bytes) {
    if (words_.bytes_.size() < words_.used_ + bytes) words_.bytes_.resize(2 * (words_.used_ + bytes));
  }
  void add(char32_t character, Span origin) {
    const size_t bytes = unicode::encode(character, words_.bytes_.data() + words_.used_);
    words_.used_ += static_cast<uint32_t>(bytes);
    ++words_.characters_;
    if (words_.tracked_) words_.spans_.insert(words_.spans_.end(), bytes, origin);
  }
  void close() {
    if (words_.open_ == words_.used_) return;
    words_.words_.push_back({words_.open_, words_.used_, words_.characters_});
    words_.open_ = words_.used_;
    words_.characters_ = 0;
  }
  void add_alone(char32_t character, Span origin) {
    close();
    add(character, origin);
    close();
  }

 private:
  Words& words_;
};

Normalizer::Normalizer(const Normalization& options)
    : options_(options), pages_(new std::atomic<const Page*>[page_count]()) {
  byte_kinds_.fill(Kind::wide);
  byte_characters_.fill(0);
  for (char32_t code = 0; code < 128; ++code) {
    const Entry entry = describe(code);
    byte_kinds_[code] = entry.what();
    byte_characters_[code] = static_cast<char>(entry.character);
  }
}

Normalizer::~Normalizer() {
  for (size_t i = 0; i < page_count; ++i) delete pages_[i].load();
}

Normalizer::Expansion Normalizer::expand(char32_t code) const {
  Expansion result;
  const bool strip = options_.strips_accents();
  for (char32_t part : strip ? unicode::decompose(code) : unicode::CodePoints{{code}, 1}) {
    if (strip && unicode::is_nonspacing_mark(part)) continue;
    if (strip && unicode::combining_class(part) != 0) result.in_sequence = true;
    for (char32_t character : options_.lowercase ? unicode::lower(part) : unicode::CodePoints{{part}, 1})
      result.values[static_cast<size_t>(result.count++)] = character;
  }
  return result;
}

Normalizer::Kind Normalizer::kind_of(char32_t normalized) {
  if (unicode::is_white_space(normalized)) return Kind::space;
  return unicode::is_punctuation(normalized) ? Kind::alone : Kind::letter;
}

void Normalizer::put(char32_t normalized, Span origin, Splitter& splitter) {
  const Kind kind = kind_of(normalized);
  if (kind == Kind::letter)
    splitter.add(normalized, origin);
  else if (kind == Kind::alone)
    splitter.add_alone(normalized, origin);
  else
    splitter.close();
}

Normalizer::Entry Normalizer::describe(char32_t code) const {
  const auto entry = [](Kind kind, char32_t character = 0) { return Entry{character, static_cast<uint32_t>(kind)}; };
  if (options_.clean_text && unicode::is_removed(code)) return entry(Kind::nothing);
  if (options_.clean_text && unicode::is_white_space(code)) return entry(Kind::space);
  const Expansion expansion = expand(code);
  if (expansion.in_sequence) return entry(Kind::in_sequence);
  const bool ideograph = options_.handle_chinese_chars && unicode::is_ideograph(code);
  if (expansion.count == 1) return entry(ideograph ? Kind::alone : kind_of(expansion.values[0]), expansion.values[0]);
  if (ideograph) return entry(Kind::in_sequence);
  return entry(expansion.count == 0 ? Kind::nothing : Kind::several);
}

const Normalizer::Page& Normalizer::make_page(size_t number) const {
  auto page = std::make_unique<Page>();
  for (size_t i = 0; i < page->size(); ++i) (*page)[i] = describe(static_cast<char32_t>(number << 8 | i));
  const Page* expected = nullptr;
  if (pages_[number].compare_exchange_strong(expected, page.get(), std::memory_order_acq_rel)) return *page.release();
  return *expected;  // another thread was faster
}

void Normalizer::split(std::string_view text, uint32_t begin, uint32_t end, Words& words) const {
  Splitter splitter(words);
  splitter.close();
  const size_t count = words.words_.size(), spans = words.spans_.size();
  const uint32_t used = words.used_;
  const bool done = words.tracked_ ? split_by_character<true>(text, begin, end, words)
                                   : split_by_character<false>(text, begin, end, words);
  if (!done) {
    words.words_.resize(count);
    words.spans_.resize(spans);
    words.used_ = words.open_ = used;
    words.characters_ = 0;
    split_in_sequence(text, begin, end, words);
  }
  splitter.close();
}

/// Each character by itself; false if one is met of which that is not the whole story.
template <bool tracked>
bool Normalizer::split_by_character(std::string_view text, uint32_t begin, uint32_t end, Words& words) const {
  Splitter splitter(words);
  splitter.reserve(end - begin);
  const char *const start = text.data(), *const last = start + end;
  const auto span = [&](const char* from, const char* to) {
    return Span{static_cast<uint32_t>(from - start), static_cast<uint32_t>(to - start)};
  };
  for (const char* at = start + begin; at < last;) {
    const auto byte = static_cast<uint8_t>(*at);
    const char* const from = at;
    Kind kind = byte_kinds_[byte];
    char32_t character = static_cast<uint8_t>(byte_characters_[byte]);
    if (kind == Kind::letter) {
      char* to = words.bytes_.data() + words.used_;
      do {
        *to++ = byte_characters_[static_cast<uint8_t>(*at++)];
        if constexpr (tracked) words.spans_.push_back(span(at - 1, at));
      } while (at < last && byte_kinds_[static_cast<uint8_t>(*at)] == Kind::letter);
      words.used_ += static_cast<uint32_t>(at - from);
      words.characters_ += static_cast<uint32_t>(at - from);
      continue;
    }
    char32_t code = byte;
    if (kind == Kind::wide) {
      code = unicode::decode(at);
      const Entry entry = look_up(code);
      kind = entry.what(), character = entry.character;
      splitter.reserve(static_cast<size_t>(last - at) + 32);
    } else {
      ++at;
    }
    if (kind == Kind::in_sequence) return false;
    if (kind == Kind::letter) {
      splitter.add(character, span(from, at));
    } else if (kind == Kind::space) {
      splitter.close();
    } else if (kind == Kind::alone) {
      splitter.add_alone(character, span(from, at));
    } else if (kind == Kind::several) {
      const Expansion expansion = expand(code);
      for (int i = 0; i < expansion.count; ++i) put(expansion.values[static_cast<size_t>(i)], span(from, at), splitter);
    }
  }
  return true;
}

namespace {

/// One code point on its way through the steps of the reference, with the bytes that it stands for.
struct Character {
  char32_t code;
  Span origin;
};

/// The canonical decomposition (Unicode 3.11): marks between two starters in the order of their classes. As in the
/// reference, what was decomposed keeps its bytes by its place in the line and not by where it came from.
std::vector<Character> decomposed(const std::vector<Character>& text) {
  struct Part {
    int combining_class;
    char32_t code;
    bool is_first;  ///< of its code point's decomposition
  };
  std::vector<Part> parts;
  size_t run = 0;
  const auto by_class = [](const Part& a, const Part& b) { return a.combining_class < b.combining_class; };
  const auto sort_run = [&] {
    std::stable_sort(parts.begin() + static_cast<std::ptrdiff_t>(run), parts.end(), by_class);
  };
  for (const Character& character : text) {
    bool is_first = true;
    for (char32_t code : unicode::decompose(character.code)) {
      const int combining_class = unicode::combining_class(code);
      if (combining_class == 0) sort_run();
      parts.push_back({combining_class, code, std::exchange(is_first, false)});
      if (combining_class == 0) run = parts.size();
    }
  }
  sort_run();
  std::vector<Character> result;
  size_t taken = 0;
  for (const Part& part : parts) {
    if (part.is_first) ++taken;
    result.push_back({part.code, taken ? text[taken - 1].origin : Span{}});
  }
  return result;
}

}  // namespace

/// The reference's steps one after the other, for texts with marks that change places.
void Normalizer::split_in_sequence(std::string_view text, uint32_t begin, uint32_t end, Words& words) const {
  std::vector<Character> characters;
  for (const char* at = text.data() + begin; at < text.data() + end;) {
    const auto from = static_cast<uint32_t>(at - text.data());
    char32_t code = unicode::decode(at);
    const Span origin{from, static_cast<uint32_t>(at - text.data())};
    if (options_.clean_text && unicode::is_removed(code)) continue;
    if (options_.clean_text && unicode::is_white_space(code)) code = U' ';
    const bool ideograph = options_.handle_chinese_chars && unicode::is_ideograph(code);
    if (ideograph) characters.push_back({U' ', origin});
    characters.push_back({code, origin});
    if (ideograph) characters.push_back({U' ', origin});
  }
  if (options_.strips_accents()) {
    characters = decomposed(characters);
    std::erase_if(characters, [](const Character& character) { return unicode::is_nonspacing_mark(character.code); });
  }
  Splitter splitter(words);
  for (const Character& character : characters) {
    splitter.reserve(32);
    for (char32_t code : options_.lowercase ? unicode::lower(character.code) : unicode::CodePoints{{character.code}, 1})
      put(code, character.origin, splitter);
  }
}

}  // namespace percale::language
