// Steps within a warp: exchange, reduce and scan, in an order that never depends on timing. Part of device.h.
#pragma once

#include <cstring>

namespace percale::cuda {

inline constexpr int warp_size = 32;
inline constexpr unsigned full_mask = 0xffffffffu;

/// How two values become one. All are commutative, so both sides of a butterfly get the same bits.
namespace combine {

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
/// NaN if either is, as PyTorch's max.
struct Largest {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Smallest {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

}  // namespace combine

/// A value and where it was found.
template <class T>
struct Found {
  T value;
  int64_t index;
};

namespace combine {

/// The larger value, NaN above all; among equals the lower index.
struct FirstLargest {
  template <class T>
  __device__ Found<T> operator()(Found<T> a, Found<T> b) const {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan != b_nan) return a_nan ? a : b;
    if (a_nan || a.value == b.value) return a.index < b.index ? a : b;
    return a.value > b.value ? a : b;
  }
};
/// The smaller value, NaN below all; among equals the lower index.
struct FirstSmallest {
  template <class T>
  __device__ Found<T> operator()(Found<T> a, Found<T> b) const {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan != b_nan) return a_nan ? a : b;
    if (a_nan || a.value == b.value) return a.index < b.index ? a : b;
    return a.value < b.value ? a : b;
  }
};

}  // namespace combine

/// The thread's number within its block, in launch order.
__device__ inline int thread_in_block() {
  return static_cast<int>(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}
__device__ inline int threads_in_block() { return static_cast<int>(blockDim.x * blockDim.y * blockDim.z); }
__device__ inline int lane_index() { return thread_in_block() % warp_size; }
__device__ inline int warp_index() { return thread_in_block() / warp_size; }

/// Applies a shuffle of words to a value of any trivially copyable type.
template <class T, class ShuffleWord>
__device__ T shuffle_words(const T& value, ShuffleWord shuffle_word) {
  using Word = std::conditional_t<sizeof(T) % 8 == 0, unsigned long long, unsigned>;
  constexpr int count = static_cast<int>((sizeof(T) + sizeof(Word) - 1) / sizeof(Word));
  Word words[count] = {};
  memcpy(words, &value, sizeof(T));
  for (Word& word : words) word = shuffle_word(word);
  T result;
  memcpy(static_cast<void*>(&result), words, sizeof(T));
  return result;
}

/// The value of lane `source`; all lanes of the warp take part.
template <class T>
__device__ T shuffle(const T& value, int source) {
  return shuffle_words(value, [=](auto word) { return __shfl_sync(full_mask, word, source); });
}
template <class T>
__device__ T shuffle_xor(const T& value, int lane_mask) {
  return shuffle_words(value, [=](auto word) { return __shfl_xor_sync(full_mask, word, lane_mask); });
}
template <class T>
__device__ T shuffle_up(const T& value, int delta) {
  return shuffle_words(value, [=](auto word) { return __shfl_up_sync(full_mask, word, static_cast<unsigned>(delta)); });
}
template <class T>
__device__ T shuffle_down(const T& value, int delta) {
  return shuffle_words(value,
                       [=](auto word) { return __shfl_down_sync(full_mask, word, static_cast<unsigned>(delta)); });
}

/// Combines the values of each group of `width` lanes (a power of two); every lane gets its group's result.
template <int width = warp_size, class T, class Combine>
__device__ T warp_reduce(T value, Combine combine) {
  static_assert(width >= 1 && width <= warp_size && (width & (width - 1)) == 0);
#pragma unroll
  for (int step = width / 2; step > 0; step /= 2) value = combine(value, shuffle_xor(value, step));
  return value;
}
template <int width = warp_size, class T>
__device__ T warp_sum(T value) {
  return warp_reduce<width>(value, combine::Sum{});
}
template <int width = warp_size, class T>
__device__ T warp_max(T value) {
  return warp_reduce<width>(value, combine::Largest{});
}
template <int width = warp_size, class T>
__device__ T warp_min(T value) {
  return warp_reduce<width>(value, combine::Smallest{});
}

/// Lane i gets the combination of lanes 0 to i.
template <class T, class Combine>
__device__ T warp_inclusive_scan(T value, Combine combine) {
  const int lane = lane_index();
#pragma unroll
  for (int step = 1; step < warp_size; step *= 2) {
    const T before = shuffle_up(value, step);
    if (lane >= step) value = combine(before, value);
  }
  return value;
}

/// Lane i gets the sum of lanes 0 to i - 1.
template <class T>
__device__ T warp_exclusive_sum(T value) {
  const T before = shuffle_up(warp_inclusive_scan(value, combine::Sum{}), 1);
  return lane_index() == 0 ? T{} : before;
}

}  // namespace percale::cuda
