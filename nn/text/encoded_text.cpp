#include "encoded_text.h"

#include <algorithm>
#include <unordered_set>

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

EncodedBlock encode_block(const TextBlocks& blocks, int64_t index, const Vocabulary& vocabulary,
                          const std::unordered_set<std::string_view>& dropped, const Marks& marks) {
  using Item = TextBlocks::Block::Item;
  EncodedBlock encoded;
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
  return encoded;
}

std::vector<EncodedBlock> encode_blocks(const io::Source& text, const Vocabulary& vocabulary,
                                        const TextOptions& options, const Marks& marks) {
  const TextBlocks blocks(text, options.lower);
  const std::unordered_set<std::string_view> dropped(options.drop.begin(), options.drop.end());
  std::vector<EncodedBlock> encoded(static_cast<size_t>(blocks.count()));
  cpu::parallel_for(blocks.count(), 1, [&](int64_t index, int64_t) {
    encoded[static_cast<size_t>(index)] = encode_block(blocks, index, vocabulary, dropped, marks);
  });
  return encoded;
}

/// Writes the blocks behind each other and lets go of them; returns where they end.
int32_t* join(std::vector<EncodedBlock>& encoded, int32_t* to) {
  for (EncodedBlock& block : encoded) {
    to = std::copy(block.numbers.begin(), block.numbers.end(), to);
    block.numbers = {};
  }
  return to;
}

}  // namespace

EncodedText encode_text(const io::Source& text, const Vocabulary& vocabulary, const TextOptions& options) {
  std::vector<EncodedBlock> encoded = encode_blocks(text, vocabulary, options, {.line_end = -1, .other = -1});
  EncodedText result;
  int64_t total = 0;
  for (const EncodedBlock& block : encoded) {
    total += static_cast<int64_t>(block.numbers.size());
    result.words += block.words;
  }
  require(total > 0, "encode_text", "{}: no word of it is in the dictionary", text.name());
  const int64_t size = std::clamp<int64_t>(total / 64, 512, options.most_a_piece), count = (total + size - 1) / size;
  result.pieces = Tensor::empty({count, size}, {i32, cpu_device});
  int32_t* to = join(encoded, result.pieces.data<int32_t>());
  std::fill(to, result.pieces.data<int32_t>() + count * size, -1);
  return result;
}

Tensor encode_lines(const io::Source& text, const Vocabulary& vocabulary, const TextOptions& options) {
  std::vector<EncodedBlock> encoded = encode_blocks(
      text, vocabulary, options,
      {.line_end = static_cast<int32_t>(vocabulary.size()), .other = static_cast<int32_t>(vocabulary.others())});
  size_t total = 0;
  for (const EncodedBlock& block : encoded) total += block.numbers.size();
  require(total > 0, "encode_lines", "{}: there is no word", text.name());
  const Tensor numbers = Tensor::empty({static_cast<int64_t>(total)}, {i32, cpu_device});
  join(encoded, numbers.data<int32_t>());
  return numbers;
}

}  // namespace percale::language
