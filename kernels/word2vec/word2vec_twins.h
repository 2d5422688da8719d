// What the two twins of word2vec implement, and how both draw. Shapes, dtypes and devices are checked before.
#pragma once

#include <algorithm>

#include "../../core/random.h"
#include "word2vec.h"

namespace percale {

/// One call: `losses` is to be written.
struct Word2VecCall {
  const Tensor& input;
  const Tensor& output;
  const Tensor& text;
  const WordSampler& sampler;
  const Tensor& learning_rate;
  const Word2VecStepOptions& options;
  const WordParts& parts;  ///< undefined: word w is row w of `input`
  RandomKey key;
  const Tensor& losses;

  int64_t words() const { return output.size(0); }

  int64_t batches() const {
    const int64_t count = text.numel();
    return std::max((count + options.batch - 1) / options.batch, std::min(least_word2vec_batches, count));
  }
};

inline constexpr const char* no_row_message =
    "row {value} at position {position} of the text is out of range for {bound} words";

// A position of the text has `draw_blocks` blocks of four random words of its own: the first says whether it is kept
// and how far its window reaches, the others give two words a noise word.
PERCALE_HOST_DEVICE inline int draw_blocks(int negative) { return 1 + (2 * negative + 3) / 4; }

PERCALE_HOST_DEVICE inline bool is_kept(uint32_t bits, float keep) { return uniform_from_bits(bits) < keep; }

/// 1 to `window`.
PERCALE_HOST_DEVICE inline int window_reach(uint32_t bits, int window) {
  return 1 + static_cast<int>(uint64_t{bits} * static_cast<uint64_t>(window) >> 32);
}

/// A word in proportion to count^power.
PERCALE_HOST_DEVICE inline int32_t noise_word(uint32_t which, uint32_t chance, const float* accept,
                                              const int32_t* alias, int64_t words) {
  const auto entry = static_cast<int64_t>(uint64_t{which} * static_cast<uint64_t>(words) >> 32);
  return uniform_from_bits(chance) < accept[entry] ? static_cast<int32_t>(entry) : alias[entry];
}

/// What a row takes of what `times` entries of a batch add to it: all, or where they are more than a crowd their mean
/// times the crowd.
PERCALE_HOST_DEVICE inline float crowd_share(float crowd, float times) { return crowd < times ? crowd / times : 1.0f; }

namespace cpu {
void word2vec(const Word2VecCall& call);
}
namespace cuda {
void word2vec(const Word2VecCall& call);
}

}  // namespace percale
