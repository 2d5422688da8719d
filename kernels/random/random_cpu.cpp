#include <algorithm>

#include "../../core/cpu/threads.h"
#include "../../core/primitives.h"
#include "../common/random_words.h"
#include "random_permutation.h"
#include "random_twins.h"

namespace percale::cpu {
namespace {

constexpr int64_t grain = 8192;       ///< elements of a piece
constexpr int64_t batch_blocks = 256;  ///< Philox blocks at a time, small enough for the cache

template <class T>
void draw_contiguous(const random::Draw& draw, const RandomKey& key, T* target, int64_t count) {
  const int each = random::elements_in_block(draw.distribution);
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    uint32_t words[4 * batch_blocks];
    for (int64_t at = begin; at < end; at += each * batch_blocks) {
      const int64_t here = std::min(end - at, each * batch_blocks);
      random_words(key, static_cast<uint64_t>(at / each), (here + each - 1) / each, words);
      for (int64_t i = 0; i < here; ++i)
        target[at + i] = random::element<T>(draw, words + 4 * (i / each), static_cast<int>(i % each));
    }
  });
}

}  // namespace

void draw(const random::Draw& draw, const RandomKey& key, const Tensor& target, bool) {
  if (!target.is_contiguous()) {
    const Tensor ordered = Tensor::empty(target.shape(), target.options());
    cpu::draw(draw, key, ordered, false);
    copy(ordered, target);
    return;
  }
  visit(target.dtype(), [&]<class T>() { draw_contiguous(draw, key, target.data<T>(), target.numel()); });
}

void permutation(const RandomKey& key, const Tensor& target) {
  const random::Permutation permuted(key, key.step_now(), static_cast<uint64_t>(target.numel()));
  visit_index("randperm", target.dtype(), [&]<class T>() {
    T* data = target.data<T>();
    parallel_for(target.numel(), grain / 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) data[i] = static_cast<T>(permuted(static_cast<uint64_t>(i)));
    });
  });
}

}  // namespace percale::cpu
