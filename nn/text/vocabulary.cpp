#include "vocabulary.h"

#include <bit>
#include <charconv>

#include "../../core/error.h"
#include "text_blocks.h"

namespace percale::language {
namespace {

constexpr std::string_view space = " \t\n\r\v\f";

/// The lines of a file, numbered for messages.
class Lines {
 public:
  explicit Lines(const io::Source& source) : name_(source.name()), text_(source.size(), '\0') {
    source.read_at(0, text_.data(), text_.size());
    rest_ = text_;
  }

  bool at_end() const { return rest_.empty(); }

  std::string_view next(const char* expected) {
    ++number_;
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos) refuse(expected, rest_);
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }

  uint64_t number(std::string_view digits, const char* expected, std::string_view line) const {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) refuse(expected, line);
    return value;
  }

  [[noreturn]] void refuse(const char* expected, std::string_view found) const {
    fail("vocabulary", "{}: line {}: expected {}, found {}",
         {name_, std::to_string(number_), expected, found.empty() ? "the end" : io::shown(found)});
  }

 private:
  const std::string& name_;
  std::string text_;
  std::string_view rest_;
  int64_t number_ = 0;
};

}  // namespace

Vocabulary::Vocabulary(WordCounts counts) : counts_() {
  require(!counts.words.empty(), "vocabulary", "there is no word in it");
  require(counts.words.size() < size_t{1} << 30, "vocabulary", "more than 2^30 words: {}", counts.words.size());
  slots_.assign(std::bit_ceil(2 * counts.words.size()), -1);
  for (auto& [word, count] : counts.words) {
    require(!word.empty() && word.find_first_of(space) == std::string::npos, "vocabulary",
            "a word must not be empty or have white space in it, got {}", io::shown(word));
    require(count > 0 && (counts_.empty() || count <= counts_.back()), "vocabulary",
            "words must stand by frequency: {} has {}", io::shown(word), count);
    size_t at = hash_of(word) & (slots_.size() - 1);
    for (; slots_[at] >= 0; at = (at + 1) & (slots_.size() - 1))
      require(words_[static_cast<size_t>(slots_[at])] != word, "vocabulary", "the word {} is there twice",
              io::shown(word));
    slots_[at] = static_cast<int32_t>(words_.size());
    words_.push_back(std::move(word));
    counts_.push_back(count);
  }
  counts_.push_back(counts.others);
}

Vocabulary Vocabulary::of_text(const std::string& path, const CountOptions& options) {
  const io::Source source(path);
  WordCounts counts = count_words(source, options);
  require(!counts.words.empty(), "vocabulary", "{}: no word stands there {} times", path, options.min_count);
  return Vocabulary(std::move(counts));
}

int64_t Vocabulary::operator[](std::string_view word) const {
  if (slots_.empty()) return others();
  for (size_t at = hash_of(word) & (slots_.size() - 1); slots_[at] >= 0; at = (at + 1) & (slots_.size() - 1))
    if (words_[static_cast<size_t>(slots_[at])] == word) return slots_[at];
  return others();
}

const std::string& Vocabulary::word(int64_t index) const {
  static const std::string other = "<other>";
  require(index >= 0 && index < size(), "vocabulary", "index {} is out of range for {} entries", index, size());
  return index == others() ? other : words_[static_cast<size_t>(index)];
}

uint64_t Vocabulary::count(int64_t index) const {
  require(index >= 0 && index < size(), "vocabulary", "index {} is out of range for {} entries", index, size());
  return counts_[static_cast<size_t>(index)];
}

std::vector<int64_t> Vocabulary::ids(std::string_view sentence) const {
  std::vector<int64_t> ids;
  for (size_t begin = sentence.find_first_not_of(space); begin < sentence.size();) {
    const size_t end = std::min(sentence.find_first_of(space, begin), sentence.size());
    ids.push_back((*this)[sentence.substr(begin, end - begin)]);
    begin = sentence.find_first_not_of(space, end);
  }
  return ids;
}

void Vocabulary::save(const std::string& path) const {
  std::string text = "vocabulary " + std::to_string(words_.size()) + ' ' + std::to_string(counts_.back()) + '\n';
  for (size_t i = 0; i < words_.size(); ++i) text += words_[i] + ' ' + std::to_string(counts_[i]) + '\n';
  io::write_file(path, text);
}

Vocabulary Vocabulary::load(const std::string& path) { return load(io::Source(path)); }

Vocabulary Vocabulary::load(const io::Source& source) {
  Lines lines(source);
  const std::string_view header = lines.next("`vocabulary WORDS OTHERS`");
  const size_t gap = header.rfind(' ');
  constexpr std::string_view start = "vocabulary ";
  if (!header.starts_with(start) || gap < start.size()) lines.refuse("`vocabulary WORDS OTHERS`", header);
  const uint64_t words = lines.number(header.substr(start.size(), gap - start.size()), "a number of words", header);
  WordCounts counts{.words = {}, .others = lines.number(header.substr(gap + 1), "a number of others", header)};
  for (uint64_t i = 0; i < words; ++i) {
    const std::string_view line = lines.next("`WORD COUNT`");
    const size_t end = line.rfind(' ');
    if (end == std::string_view::npos || end == 0 || end > longest_word) lines.refuse("`WORD COUNT`", line);
    counts.words.emplace_back(line.substr(0, end), lines.number(line.substr(end + 1), "`WORD COUNT`", line));
  }
  if (!lines.at_end()) lines.refuse("the end", lines.next("the end"));
  return Vocabulary(std::move(counts));
}

}  // namespace percale::language
