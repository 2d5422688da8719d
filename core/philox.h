// Random numbers by counting: Philox 4x32-10 (Salmon and others, "Parallel Random Numbers: As Easy as 1, 2, 3", SC
// 2011) and what is made of its bits. One source for the CPU, CUDA and the emulator; every device gives the same
// numbers.
#pragma once

#include <bit>
#include <cstdint>

#include "half.h"

namespace percale {

/// Names one call of a random operation: every element of its result is a function of this key and the element's index.
struct RandomKey {
  uint64_t seed = 0;
  uint32_t call = 0;                 ///< number of the call within its step
  uint64_t step = 0;                 ///< number of the step, where the counter lies on the CPU
  const int64_t* counter = nullptr;  ///< the step counter in device memory, or null: then `step` counts

  PERCALE_HOST_DEVICE uint64_t step_now() const { return counter ? static_cast<uint64_t>(*counter) : step; }
};

struct Philox4 {
  uint32_t words[4];
};

/// The four words of block `block`: 128 bits of counter (block, call, step) under a 64-bit key (the seed).
PERCALE_HOST_DEVICE inline Philox4 philox(uint64_t seed, uint64_t block, uint32_t call, uint64_t step) {
  uint32_t counter[4] = {static_cast<uint32_t>(block),
                         static_cast<uint32_t>(block >> 32) ^ static_cast<uint32_t>(step >> 32), call,
                         static_cast<uint32_t>(step)};
  uint32_t key[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t first = uint64_t{0xD2511F53u} * counter[0], second = uint64_t{0xCD9E8D57u} * counter[2];
    const uint32_t next[4] = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(second),
                              static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(first)};
    for (int i = 0; i < 4; ++i) counter[i] = next[i];
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return {{counter[0], counter[1], counter[2], counter[3]}};
}

/// The 32 random bits of element `index`.
PERCALE_HOST_DEVICE inline uint32_t random_bits(const RandomKey& key, uint64_t step, int64_t index) {
  return philox(key.seed, static_cast<uint64_t>(index) >> 2, key.call, step).words[index & 3];
}

/// A float in [0, 1): the upper 24 bits.
PERCALE_HOST_DEVICE inline float uniform_from_bits(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

/// The natural logarithm of a positive, normal double, from additions, multiplications and one division, so that every
/// device rounds alike. Within 2 ulp.
PERCALE_HOST_DEVICE inline double portable_log(double value) {
  const uint64_t word = std::bit_cast<uint64_t>(value);
  int exponent = static_cast<int>(word >> 52) - 1023;
  double mantissa = std::bit_cast<double>((word & 0xfffffffffffffull) | 0x3ff0000000000000ull);
  if (mantissa > 1.4142135623730951) mantissa *= 0.5, ++exponent;
  const double ratio = (mantissa - 1) / (mantissa + 1), square = ratio * ratio;
  double series = 1.0 / 23;
  for (int odd = 21; odd >= 1; odd -= 2) series = series * square + 1.0 / odd;
  return 2 * ratio * series + exponent * 0.6931471805599453;
}

// A standard normal number is the inverse of the normal distribution (Wichura, algorithm AS 241, PPND7, relative error
// below 1e-7) at (bits + 1/2) / 2^32. The functions stand apart so that the CPU can take the first for many at once.

/// The probability, less 1/2.
PERCALE_HOST_DEVICE inline double normal_quantile(uint32_t bits) {
  return (static_cast<double>(bits) + 0.5) * 0x1p-32 - 0.5;
}

/// Whether `normal_center` has the answer; else `normal_tail` has.
PERCALE_HOST_DEVICE inline bool is_normal_center(double q) { return q >= -0.425 && q <= 0.425; }

PERCALE_HOST_DEVICE inline float normal_center(double q) {
  const double r = 0.180625 - q * q;
  const double above = ((5.9109374720e+1 * r + 1.5929113202e+2) * r + 5.0434271938e+1) * r + 3.3871327179;
  const double below = ((6.7187563600e+1 * r + 7.8757757664e+1) * r + 1.7895169469e+1) * r + 1.0;
  return static_cast<float>(q * above / below);
}

PERCALE_HOST_DEVICE inline float normal_tail(double q) {
  const double tail = q < 0 ? 0.5 + q : 0.5 - q;
#if defined(__CUDA_ARCH__)
  double r = sqrt(-portable_log(tail));
#else
  double r = __builtin_sqrt(-portable_log(tail));
#endif
  double magnitude;
  if (r <= 5) {
    r -= 1.6;
    const double above = ((1.7023821103e-1 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777;
    const double below = (1.2021132975e-1 * r + 7.3700164250e-1) * r + 1.0;
    magnitude = above / below;
  } else {
    r -= 5;
    const double above = ((1.7337203997e-2 * r + 4.2868294337e-1) * r + 3.0812263860) * r + 6.6579051150;
    const double below = (1.2258202635e-2 * r + 2.4197894225e-1) * r + 1.0;
    magnitude = above / below;
  }
  return static_cast<float>(q < 0 ? -magnitude : magnitude);
}

PERCALE_HOST_DEVICE inline float normal_from_bits(uint32_t bits) {
  const double q = normal_quantile(bits);
  return is_normal_center(q) ? normal_center(q) : normal_tail(q);
}

}  // namespace percale
