// A random permutation of which every element can be worked out alone: a Feistel network that walks until it is in
// range (Mitchell, Stokes, Frank and Holmes, "Bandwidth-Optimal Random Shuffling for GPUs", 2022).
#pragma once

#include <cstdint>

#include "../../core/philox.h"

namespace percale::random {

class Permutation {
 public:
  /// Of 0 to count - 1, as `key` says at `step`.
  PERCALE_HOST_DEVICE Permutation(const RandomKey& key, uint64_t step, uint64_t count) : count_(count) {
    // The network permutes a power of two larger than `count`: on one of exactly `count` it could only do half of all.
    // On fewer than 8 bits its halves are so small that some orders of a few numbers come more often.
    int bits = 8;
    while (uint64_t{1} << bits <= count) ++bits;
    left_mask_ = (uint64_t{1} << bits / 2) - 1;
    right_bits_ = bits - bits / 2;
    right_mask_ = (uint64_t{1} << right_bits_) - 1;
    for (int round = 0; round < rounds; round += 2) {
      const Philox4 words = philox(key.seed, static_cast<uint64_t>(round / 2), key.call, step);
      keys_[round] = words.words[0] | static_cast<uint64_t>(words.words[1]) << 32;
      keys_[round + 1] = words.words[2] | static_cast<uint64_t>(words.words[3]) << 32;
    }
  }

  PERCALE_HOST_DEVICE uint64_t operator()(uint64_t index) const {
    do {
      index = once(index);
    } while (index >= count_);
    return index;
  }

  /// One pass through the network: what is not below `count` goes through it again.
  PERCALE_HOST_DEVICE uint64_t once(uint64_t index) const {
    uint64_t left = index >> right_bits_, right = index & right_mask_;
    for (int round = 0; round < rounds; round += 2) {
      left = (left ^ mixed(right ^ keys_[round])) & left_mask_;
      right = (right ^ mixed(left ^ keys_[round + 1])) & right_mask_;
    }
    return left << right_bits_ | right;
  }

 private:
  static constexpr int rounds = 12;

  /// All bits of the result depend on all of `x`: the finalizer of splitmix64 (Steele, Lea and Flood, 2014).
  PERCALE_HOST_DEVICE static uint64_t mixed(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }

  uint64_t count_, left_mask_, right_mask_, keys_[rounds];
  int right_bits_;
};

}  // namespace percale::random
