// Text into the words that WordPiece cuts: cleaned, in lower case, without accents, split at spaces and punctuation.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace percale::language {

/// What is done to a text before it is cut: the flags of `tokenizer.json`'s BertNormalizer.
struct Normalization {
  bool clean_text = true;                  ///< drops control characters
  bool handle_chinese_chars = true;        ///< each ideograph is a word
  std::optional<bool> strip_accents = {};  ///< if not given: as `lowercase`
  bool lowercase = true;

  bool strips_accents() const { return strip_accents.value_or(lowercase); }
};

/// Bytes [begin, end) of a text.
struct Span {
  uint32_t begin = 0, end = 0;

  friend bool operator==(const Span&, const Span&) = default;
};

class Splitter;

/// Normalised words, one behind the other; kept from text to text for its memory.
class Words {
 public:
  struct Word {
    uint32_t begin, end;  ///< in `bytes()`
    uint32_t characters;
  };
  /// If `tracked`, `origin` can tell where the bytes come from.
  void clear(bool tracked) { words_.clear(), spans_.clear(), used_ = open_ = characters_ = 0, tracked_ = tracked; }

  const std::vector<Word>& words() const { return words_; }
  const char* bytes() const { return bytes_.data(); }
  /// Where bytes [begin, end) of `bytes()` stood in the text.
  Span origin(uint32_t begin, uint32_t end) const { return {spans_[begin].begin, spans_[end - 1].end}; }

 private:
  friend class Normalizer;
  friend class Splitter;

  std::string bytes_;  ///< as long as its memory; `used_` of it are filled
  std::vector<Word> words_;
  std::vector<Span> spans_;  ///< a byte's character's bytes in the text
  uint32_t used_ = 0, open_ = 0, characters_ = 0;
  bool tracked_ = false;
};

/// BertNormalizer and BertPreTokenizer in one. Safe to use from several threads.
class Normalizer {
 public:
  explicit Normalizer(const Normalization& options);
  ~Normalizer();
  Normalizer(const Normalizer&) = delete;

  /// Adds the words of bytes [begin, end) of `text`, which is valid UTF-8, to `words`.
  void split(std::string_view text, uint32_t begin, uint32_t end, Words& words) const;

 private:
  /// What becomes of a code point when its neighbours do not matter.
  enum class Kind : uint8_t {
    letter,       ///< one character of a word
    space,        ///< ends a word
    alone,        ///< one character that is a word: punctuation, an ideograph
    nothing,      ///< dropped
    several,      ///< more than one character
    wide,         ///< a byte of a sequence: decode first
    in_sequence,  ///< a mark that stays, whose place depends on its neighbours
  };
  struct Entry {
    char32_t character : 24;
    uint32_t kind : 8;

    Kind what() const { return static_cast<Kind>(kind); }
  };
  using Page = std::array<Entry, 256>;

  /// The characters that one turns into.
  struct Expansion {
    std::array<char32_t, 8> values;
    int count = 0;
    bool in_sequence = false;  ///< their places depend on the neighbours
  };
  Expansion expand(char32_t code) const;
  static Kind kind_of(char32_t normalized);
  static void put(char32_t normalized, Span origin, Splitter& splitter);
  Entry describe(char32_t code) const;
  const Page& make_page(size_t number) const;
  Entry look_up(char32_t code) const {
    const Page* page = pages_[code >> 8].load(std::memory_order_acquire);
    return (page ? *page : make_page(code >> 8))[code & 0xff];
  }

  template <bool tracked>
  bool split_by_character(std::string_view text, uint32_t begin, uint32_t end, Words& words) const;
  void split_in_sequence(std::string_view text, uint32_t begin, uint32_t end, Words& words) const;

  const Normalization options_;
  std::array<Kind, 256> byte_kinds_;
  std::array<char, 256> byte_characters_;
  /// Filled as texts ask for them: most never meet more than two of the 4352.
  const std::unique_ptr<std::atomic<const Page*>[]> pages_;
};

}  // namespace percale::language
