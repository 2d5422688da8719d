#include "word_counts.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <unordered_set>

#include "../../core/cpu/threads.h"
#include "../../core/error.h"
#include "text_blocks.h"

namespace percale::language {
namespace {

/// A hash table of words in 16 bytes a slot; the words stand one behind the other in chunks.
class WordTable {
 public:
  void add(uint64_t hash, std::string_view word, uint64_t count) {
    if (4 * (used_ + 1) > 3 * slots_.size()) grow();
    const auto tag = static_cast<uint32_t>(hash);
    size_t at = tag & (slots_.size() - 1);
    for (; slots_[at].count; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].tag == tag && word_at(slots_[at].place) == word) {
        slots_[at].count += count;
        return;
      }
    }
    slots_[at] = {tag, store(word), count};
    ++used_;
  }

  size_t size() const { return used_; }

  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_)
      if (slot.count) visit(word_at(slot.place), slot.count);
  }

 private:
  struct Slot {
    uint32_t tag = 0, place = 0;
    uint64_t count = 0;  ///< 0: empty
  };
  static constexpr size_t chunk_bytes = size_t{1} << 16;

  void grow() {
    std::vector<Slot> old(std::max<size_t>(64, 2 * slots_.size()));
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (!slot.count) continue;
      size_t at = slot.tag & (slots_.size() - 1);
      while (slots_[at].count) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  uint32_t store(std::string_view word) {
    const auto length = static_cast<uint16_t>(word.size());
    if (chunks_.empty() || filled_ + sizeof length + word.size() > chunk_bytes) {
      require(chunks_.size() < 65536, "count_words", "the text has more than {} bytes of distinct words",
              uint64_t{chunk_bytes} << 16);
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_bytes));
      filled_ = 0;
    }
    char* to = chunks_.back().get() + filled_;
    std::memcpy(to, &length, sizeof length);
    std::memcpy(to + sizeof length, word.data(), word.size());
    const size_t place = (chunks_.size() - 1) * chunk_bytes + filled_;
    filled_ += sizeof length + word.size();
    return static_cast<uint32_t>(place);
  }

  std::string_view word_at(uint32_t place) const {
    const char* from = chunks_[place / chunk_bytes].get() + place % chunk_bytes;
    uint16_t length = 0;
    std::memcpy(&length, from, sizeof length);
    return {from + sizeof length, length};
  }

  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t used_ = 0, filled_ = 0;
};

struct Counted {
  uint64_t hash = 0;
  std::string_view word = {};
  uint64_t count = 0;
};

/// The words of one block: frequent ones are counted in a table that fits the cache; what it pushes out is kept in a
/// list for each part of the hash, so that a part's lock is taken once a block.
class BlockCounts {
 public:
  static constexpr size_t parts = 64;

  void add(std::string_view word) {
    const uint64_t hash = hash_of(word);
    Counted& slot = recent_[(hash >> 20) % recent_.size()];
    if (slot.count && slot.hash == hash && slot.word == word) {
      ++slot.count;
      return;
    }
    if (slot.count) push_out(slot);
    slot = {hash, word, 1};
  }

  const std::vector<Counted>& part(size_t index) const { return lists_[index]; }

  void finish() {
    for (const Counted& slot : recent_)
      if (slot.count) push_out(slot);
  }
  /// Forgets all, of a block that ended in an error too: its words are gone.
  void clear() {
    for (Counted& slot : recent_) slot.count = 0;
    for (auto& list : lists_) list.clear();
  }

 private:
  void push_out(const Counted& slot) { lists_[slot.hash >> 58].push_back(slot); }

  std::vector<Counted> recent_ = std::vector<Counted>(size_t{1} << 14);
  std::array<std::vector<Counted>, parts> lists_;
};

struct Part {
  std::mutex mutex;
  WordTable table;
};

bool comes_before(std::pair<std::string_view, uint64_t> a, std::pair<std::string_view, uint64_t> b) {
  return a.second != b.second ? a.second > b.second : a.first < b.first;
}

/// The `most` words that come first, in a heap with the last of them on top.
std::vector<std::pair<std::string, uint64_t>> most_frequent(const std::vector<Part>& parts,
                                                            const CountOptions& options) {
  std::vector<std::pair<std::string_view, uint64_t>> heap;
  const auto most = static_cast<size_t>(options.most);
  for (const Part& part : parts) {
    part.table.for_each([&](std::string_view word, uint64_t count) {
      if (count < options.min_count || (heap.size() == most && !comes_before({word, count}, heap.front()))) return;
      if (heap.size() == most) {
        std::pop_heap(heap.begin(), heap.end(), comes_before);
        heap.pop_back();
      }
      heap.emplace_back(word, count);
      std::push_heap(heap.begin(), heap.end(), comes_before);
    });
  }
  std::sort_heap(heap.begin(), heap.end(), comes_before);
  return {heap.begin(), heap.end()};
}

}  // namespace

uint64_t hash_of(std::string_view word) {
  uint64_t state = 0x9E3779B97F4A7C15u ^ (word.size() * 0xD2511F53u);
  const char* from = word.data();
  size_t left = word.size();
  const auto mix = [&](uint64_t piece) {
    const auto product = static_cast<unsigned __int128>(state ^ piece) * 0xA0761D6478BD642Fu;
    state = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  for (; left > 8; from += 8, left -= 8) {
    uint64_t piece;
    std::memcpy(&piece, from, 8);
    mix(piece);
  }
  uint64_t piece = 0;
  if (left) std::memcpy(&piece, from, left);
  mix(piece);
  mix(0xE7037ED1A0B428DBu);
  return state;
}

WordCounts count_words(const io::Source& text, const CountOptions& options) {
  require(options.most >= 1, "count_words", "a vocabulary has at least 1 word, got {}", options.most);
  const TextBlocks blocks(text, options.lower);
  std::unordered_set<std::string_view> dropped(options.drop.begin(), options.drop.end());
  std::vector<Part> parts(BlockCounts::parts);
  std::atomic<uint64_t> total{0}, overlong{0};
  std::atomic<int64_t> done{0};
  std::mutex progress;
  cpu::parallel_for(blocks.count(), 1, [&](int64_t index, int64_t) {
    thread_local BlockCounts counts;
    counts.clear();
    uint64_t words = 0, long_words = 0;
    TextBlocks::Block block(blocks, index);
    std::string_view word;
    for (auto item = block.next(word); item != TextBlocks::Block::Item::block_end; item = block.next(word)) {
      if (item == TextBlocks::Block::Item::overlong_word) ++long_words;
      if (item != TextBlocks::Block::Item::word || (!dropped.empty() && dropped.contains(word))) continue;
      counts.add(word);
      ++words;
    }
    counts.finish();
    for (size_t k = 0; k < parts.size(); ++k) {  // each block begins elsewhere, so that threads seldom meet
      const size_t which = (k + static_cast<size_t>(index) * 29) % parts.size();
      const std::lock_guard lock(parts[which].mutex);
      for (const Counted& counted : counts.part(which))
        parts[which].table.add(counted.hash, counted.word, counted.count);
    }
    total += words + long_words;
    overlong += long_words;
    const auto blocks_done = static_cast<uint64_t>(++done);
    if (options.progress && progress.try_lock()) {
      const std::lock_guard lock(progress, std::adopt_lock);
      options.progress(std::min(blocks_done * TextBlocks::bytes, text.size()), text.size());
    }
  });
  require(total > 0, "count_words", "{}: expected a text, found no word", text.name());
  WordCounts result{.words = most_frequent(parts, options), .others = total};
  for (const Part& part : parts) result.distinct += part.table.size();
  for (const auto& [word, count] : result.words) result.others -= count;
  return result;
}

}  // namespace percale::language
