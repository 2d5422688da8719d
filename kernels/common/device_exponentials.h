// The sum of exponentials that softmax and cross entropy stand on, found in one pass over any number of threads.
// Included beside device.h.
#pragma once

#include <limits>

#include "device_block.h"

namespace percale::cuda {

/// sum = the sum of exp(x - largest) over what was added. Milakov and Gimelshein, "Online normalizer calculation for
/// softmax", 2018. The sum is NaN if a NaN or +infinity was added.
template <class A>
struct Exponentials {
  static constexpr A nothing = -std::numeric_limits<A>::infinity();
  A largest = nothing;
  A sum = 0;

  __device__ void add(A x) {
    if (x == nothing) return;
    if (x > largest) {
      sum = sum * ::exp(largest - x) + (x - x + 1);
      largest = x;
    } else {
      sum += ::exp(x - largest);
    }
  }
  /// log(sum of exp(x)); NaN or -infinity where there is none.
  __device__ A logarithm() const { return largest + ::log(sum); }
};

namespace combine {
struct Joined {
  template <class A>
  __device__ Exponentials<A> operator()(const Exponentials<A>& a, const Exponentials<A>& b) const {
    Exponentials<A> both;
    both.largest = a.largest > b.largest ? a.largest : b.largest;
    both.sum = scaled(a, both.largest) + scaled(b, both.largest);
    return both;
  }

 private:
  template <class A>
  __device__ static A scaled(const Exponentials<A>& from, A largest) {
    return from.largest == largest ? from.sum : from.sum * ::exp(from.largest - largest);
  }
};
}  // namespace combine

/// Combines the values of `group` threads: lanes of a warp, or the whole block if there are more. All get the result.
template <int group, class T, class Combine>
__device__ T group_reduce(T value, Combine combine, T identity) {
  if constexpr (group <= warp_size)
    return warp_reduce<group>(value, combine);
  else
    return block_reduce(value, combine, identity, dynamic_shared<BlockScratch<T>>());
}

/// What a kernel that calls `group_reduce` is launched with.
template <int group, class T>
inline constexpr size_t group_scratch = group <= warp_size ? 0 : sizeof(BlockScratch<T>);

}  // namespace percale::cuda
