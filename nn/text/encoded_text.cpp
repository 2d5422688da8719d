#include "encoded_text.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <unordered_set>
#include <utility>

#include "../../core/cpu/threads.h"
#include "../../core/error.h"
#include "text_blocks.h"

namespace percale::language {
namespace {

struct EncodedBlock {
  std::vector<int32_t> numbers;
  int64_t words = 0;
};

/// What stands for the end of a line, and for words that are not in the dictionary: these are left out if negative.
struct Marks {
  int32_t line_end, other;
};

void encode_block(const TextBlocks& blocks, int64_t index, const Vocabulary& vocabulary,
                  const std::unordered_set<std::string_view>& dropped, const Marks& marks, EncodedBlock& encoded) {
  using Item = TextBlocks::Block::Item;
  encoded.numbers.clear();
  encoded.words = 0;
  TextBlocks::Block block(blocks, index);
  std::string_view word;
  for (Item item = block.next(word); item != Item::block_end; item = block.next(word)) {
    if (item == Item::line_end) {
      encoded.numbers.push_back(marks.line_end);
      continue;
    }
    if (item == Item::word && !dropped.empty() && dropped.contains(word)) continue;
    ++encoded.words;
    const int64_t number = item == Item::word ? vocabulary[word] : vocabulary.others();
    const int32_t kept = number == vocabulary.others() ? marks.other : static_cast<int32_t>(number);
    if (kept >= 0) encoded.numbers.push_back(kept);
  }
}

/// Numbers one behind the other. realloc moves pages where they are many, and not numbers: so a long text is never held
/// twice, as blocks that wait to be joined or as a vector that grows.
class Numbers {
 public:
  void add(const std::vector<int32_t>& more) { std::copy(more.begin(), more.end(), grow(more.size())); }

  int64_t count() const { return static_cast<int64_t>(count_); }

  /// All of them as a tensor that may have more elements, which are -1.
  Tensor to_tensor(const Shape& shape) {
    const size_t rest = static_cast<size_t>(shape.numel()) - count_;
    std::fill_n(grow(rest), rest, -1);
    return Tensor::from_blob(memory_.release(), shape, {i32, cpu_device}, std::free);
  }

 private:
  int32_t* grow(size_t more) {
    if (count_ + more > room_) {
      room_ = std::max(count_ + more, room_ + room_ / 8);
      void* larger = std::realloc(memory_.get(), room_ * sizeof(int32_t));
      require(larger != nullptr, "encode_text", "there is no memory for {} numbers", room_);
      static_cast<void>(memory_.release());
      memory_.reset(static_cast<int32_t*>(larger));
    }
    return memory_.get() + std::exchange(count_, count_ + more);
  }

  struct Free {
    void operator()(int32_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<int32_t, Free> memory_;
  size_t count_ = 0, room_ = 0;
};

struct EncodedNumbers {
  Numbers numbers;
  int64_t words = 0;
};

EncodedNumbers encode_blocks(const io::Source& text, const Vocabulary& vocabulary, const TextOptions& options,
                             const Marks& marks) {
  const TextBlocks blocks(text, options.lower);
  const std::unordered_set<std::string_view> dropped(options.drop.begin(), options.drop.end());
  constexpr int64_t at_once = 16;
  std::vector<EncodedBlock> encoded(static_cast<size_t>(std::min(at_once, blocks.count())));
  EncodedNumbers all;
  for (int64_t first = 0; first < blocks.count(); first += at_once) {
    const int64_t count = std::min(at_once, blocks.count() - first);
    cpu::parallel_for(count, 1, [&](int64_t index, int64_t) {
      encode_block(blocks, first + index, vocabulary, dropped, marks, encoded[static_cast<size_t>(index)]);
    });
    for (int64_t index = 0; index < count; ++index) {
      all.numbers.add(encoded[static_cast<size_t>(index)].numbers);
      all.words += encoded[static_cast<size_t>(index)].words;
    }
  }
  return all;
}

}  // namespace

EncodedText encode_text(const io::Source& text, const Vocabulary& vocabulary, const TextOptions& options) {
  EncodedNumbers encoded = encode_blocks(text, vocabulary, options, {.line_end = -1, .other = -1});
  const int64_t total = encoded.numbers.count();
  require(total > 0, "encode_text", "{}: no word of it is in the dictionary", text.name());
  const int64_t size = std::clamp<int64_t>(total / 64, 512, options.most_a_piece), count = (total + size - 1) / size;
  return {encoded.numbers.to_tensor({count, size}), encoded.words};
}

Tensor encode_lines(const io::Source& text, const Vocabulary& vocabulary, const TextOptions& options) {
  Numbers numbers = encode_blocks(text, vocabulary, options,
                                  {.line_end = static_cast<int32_t>(vocabulary.size()),
                                   .other = static_cast<int32_t>(vocabulary.others())})
                        .numbers;
  require(numbers.count() > 0, "encode_lines", "{}: there is no word", text.name());
  return numbers.to_tensor({numbers.count()});
}

}  // namespace percale::language
