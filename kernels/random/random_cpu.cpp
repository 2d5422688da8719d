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

/// Elements `begin` to `end` of the permutation. All that is on its way goes through the network together, for its
/// rounds are the same for every element; who has arrived below `count` is written, the rest moves up and goes once
/// more.
template <class T>
void permuted_elements(const random::Permutation& permutation, uint64_t count, uint64_t begin, uint64_t end,
                       T* target) {
  constexpr size_t most = 512;
  uint64_t walking[most];
  uint16_t places[most];
  const random::Permutation network = permutation;  // a copy of its own: no store to memory can change its keys
  for (uint64_t first = begin; first < end; first += most) {
    size_t left = std::min<uint64_t>(most, end - first);
    for (size_t i = 0; i < left; ++i) walking[i] = first + i, places[i] = static_cast<uint16_t>(i);
    while (left > 0) {
      for (size_t i = 0; i < left; ++i) walking[i] = network.once(walking[i]);
      size_t again = 0;
      for (size_t i = 0; i < left; ++i) {
        const uint64_t value = walking[i];
        target[first + places[i]] = static_cast<T>(value);  // of those that go again, the last time counts
        walking[again] = value;
        places[again] = places[i];
        again += value >= count;
      }
      left = again;
    }
  }
}

void permuted_i64(const random::Permutation& permutation, uint64_t count, uint64_t begin, uint64_t end,
                  int64_t* target) {
  permuted_elements(permutation, count, begin, end, target);
}
void permuted_i32(const random::Permutation& permutation, uint64_t count, uint64_t begin, uint64_t end,
                  int32_t* target) {
  permuted_elements(permutation, count, begin, end, target);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(uniform_floats);
HWY_EXPORT(permuted_i64);
HWY_EXPORT(permuted_i32);

namespace {

constexpr int64_t grain = 8192;        ///< elements of a piece
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
  const auto count = static_cast<uint64_t>(target.numel());
  const random::Permutation network(key, key.step_now(), count);
  const auto pieces = [&](auto permuted, auto* data) {
    parallel_for(target.numel(), grain / 4, [&](int64_t begin, int64_t end) {
      permuted(network, count, static_cast<uint64_t>(begin), static_cast<uint64_t>(end), data);
    });
  };
  if (target.dtype() == i64)
    pieces(HWY_DYNAMIC_DISPATCH(permuted_i64), target.data<int64_t>());
  else
    pieces(HWY_DYNAMIC_DISPATCH(permuted_i32), target.data<int32_t>());
}

}  // namespace percale::cpu
#endif
