#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/random/random_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "../../core/cpu/threads.h"
#include "../../core/primitives.h"
#include "../common/random_words.h"
#include "random_permutation.h"
#include "random_twins.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

void uniform_floats(const random::Draw& draw, const uint32_t* words, float* target, int64_t count) {
  for (int64_t i = 0; i < count; ++i) target[i] = random::uniform_element<float>(draw, words[i]);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(uniform_floats);

namespace {

constexpr int64_t grain = 8192;       ///< elements of a piece
constexpr int64_t batch_blocks = 256;  ///< Philox blocks at a time, small enough for the cache

template <class T>
void convert_words(const random::Draw& draw, const uint32_t* words, T* target, int64_t count) {
  if (draw.distribution == random::Distribution::integers) {
    for (int64_t i = 0; i < count; ++i) target[i] = random::integer_element<T>(draw, words[2 * i], words[2 * i + 1]);
    return;
  }
  if constexpr (!std::is_integral_v<T>) {
    if (draw.distribution == random::Distribution::normal) {
      float normals[4 * batch_blocks];
      normals_of(words, count, normals);
      for (int64_t i = 0; i < count; ++i) target[i] = random::normal_element<T>(draw, normals[i]);
    } else if constexpr (std::is_same_v<T, float>) {
      HWY_DYNAMIC_DISPATCH(uniform_floats)(draw, words, target, count);
    } else {
      for (int64_t i = 0; i < count; ++i) target[i] = random::uniform_element<T>(draw, words[i]);
    }
  }
}

template <class T>
void draw_contiguous(const random::Draw& draw, const RandomKey& key, T* target, int64_t count) {
  const int each = random::elements_in_block(draw.distribution);
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    uint32_t words[4 * batch_blocks];
    for (int64_t at = begin; at < end; at += each * batch_blocks) {
      const int64_t here = std::min(end - at, each * batch_blocks);
      random_words(key, static_cast<uint64_t>(at / each), (here + each - 1) / each, words);
      convert_words(draw, words, target + at, here);
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
#endif
