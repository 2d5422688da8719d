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

EncodedBlock encode_block(const TextBlocks& blocks, int64_t index, const Vocabulary& vocabulary,
                          const std::unordered_set<std::string_view>& dropped) {
  using Item = TextBlocks::Block::Item;
  EncodedBlock encoded;
  TextBlocks::Block block(blocks, index);
  std::string_view word;
  for (Item item = block.next(word); item != Item::block_end; item = block.next(word)) {
    if (item == Item::line_end) {
      encoded.numbers.push_back(-1);
      continue;
    }
    if (item == Item::word && !dropped.empty() && dropped.contains(word)) continue;
    ++encoded.words;
    const int64_t number = item == Item::word ? vocabulary[word] : vocabulary.others();
    if (number != vocabulary.others()) encoded.numbers.push_back(static_cast<int32_t>(number));
  }
  return encoded;
}

}  // namespace

EncodedText encode_text(const io::Source& text, const Vocabulary& vocabulary, const TextOptions& options) {
  const TextBlocks blocks(text, options.lower);
  const std::unordered_set<std::string_view> dropped(options.drop.begin(), options.drop.end());
  std::vector<EncodedBlock> encoded(static_cast<size_t>(blocks.count()));
  cpu::parallel_for(blocks.count(), 1, [&](int64_t index, int64_t) {
    encoded[static_cast<size_t>(index)] = encode_block(blocks, index, vocabulary, dropped);
  });
  EncodedText result;
  int64_t total = 0;
  for (const EncodedBlock& block : encoded) {
    total += static_cast<int64_t>(block.numbers.size());
    result.words += block.words;
  }
  require(total > 0, "encode_text", "{}: no word of it is in the dictionary", text.name());
  const int64_t size = std::clamp<int64_t>(total / 64, 512, options.most_a_piece), count = (total + size - 1) / size;
  result.pieces = Tensor::empty({count, size}, {i32, cpu_device});
  int32_t* to = result.pieces.data<int32_t>();
  for (EncodedBlock& block : encoded) {
    to = std::copy(block.numbers.begin(), block.numbers.end(), to);
    block.numbers = {};
  }
  std::fill(to, result.pieces.data<int32_t>() + count * size, -1);
  return result;
}

}  // namespace percale::language
