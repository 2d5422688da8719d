#include "subwords.h"

#include <algorithm>

#include "../../core/error.h"

namespace percale::language {
namespace {

bool begins_letter(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

void check(const SubwordOptions& options) {
  require(options.least >= 1 && options.least <= options.most && options.most <= 100, "subwords",
          "pieces must have 1 to 100 letters, the least not more than the most, got {} and {}", options.least,
          options.most);
  require(options.buckets >= 1 && options.buckets < int64_t{1} << 31, "subwords",
          "buckets must be 1 to 2^31 - 1, got {}", options.buckets);
}

}  // namespace

std::vector<int32_t> subwords_of(std::string_view word, const SubwordOptions& options) {
  const std::string whole = '<' + std::string(word) + '>';
  std::vector<int32_t> buckets;
  for (size_t begin = 0; begin < whole.size(); ++begin) {
    if (!begins_letter(whole[begin])) continue;
    uint32_t hash = 2166136261u;
    int64_t letters = 1;
    for (size_t end = begin; end < whole.size(); ++letters) {
      do {
        hash = (hash ^ static_cast<uint32_t>(static_cast<int8_t>(whole[end]))) * 16777619u;
      } while (++end < whole.size() && !begins_letter(whole[end]));
      if (letters > options.most) break;
      const bool is_sign = letters == 1 && (begin == 0 || end == whole.size());
      const auto bucket = static_cast<int32_t>(hash % static_cast<uint32_t>(options.buckets));
      if (letters >= options.least && !is_sign && std::find(buckets.begin(), buckets.end(), bucket) == buckets.end())
        buckets.push_back(bucket);
    }
  }
  return buckets;
}

Subwords::Subwords(const std::vector<std::string>& words, const SubwordOptions& options) : options_(options) {
  check(options);
  for (const std::string& word : words) {
    const std::vector<int32_t> buckets = subwords_of(word, options);
    used_.insert(used_.end(), buckets.begin(), buckets.end());
  }
  std::sort(used_.begin(), used_.end());
  used_.erase(std::unique(used_.begin(), used_.end()), used_.end());
}

Subwords::Subwords(const SubwordOptions& options, std::vector<int32_t> used)
    : options_(options), used_(std::move(used)) {
  check(options);
  for (size_t i = 0; i < used_.size(); ++i)
    require(used_[i] >= 0 && used_[i] < options.buckets && (i == 0 || used_[i - 1] < used_[i]), "subwords",
            "buckets must ascend below {}, got {} at {}", options.buckets, used_[i], i);
}

std::vector<int32_t> Subwords::of(std::string_view word) const {
  std::vector<int32_t> numbers;
  for (const int32_t bucket : subwords_of(word, options_)) {
    const auto at = std::lower_bound(used_.begin(), used_.end(), bucket);
    if (at != used_.end() && *at == bucket) numbers.push_back(static_cast<int32_t>(at - used_.begin()));
  }
  return numbers;
}

}  // namespace percale::language
