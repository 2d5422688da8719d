// Numbers by counter: what counter.py gives, bit for bit, so that goldens need hold no inputs.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>

namespace percale::goldens {

/// splitmix64 of (stream, position).
inline uint64_t bits(uint64_t stream, uint64_t position) {
  uint64_t z = ((stream << 40) + position + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// A multiple of 2^-23 in [-1, 1), exact in float.
inline double uniform(uint64_t stream, uint64_t position) {
  return static_cast<double>(bits(stream, position) >> 40) / 8388608.0 - 1.0;
}

/// 64 sums of all the values, each with signs of its own. The root mean square of the differences between two tensors'
/// projections is the norm of their difference, give or take a tenth: a norm-wise comparison that stores 64 numbers.
template <class T>
std::array<double, 64> projections(std::span<const T> values) {
  std::array<double, 64> sums{};
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t signs = bits(7777, i);
    const double value = static_cast<double>(values[i]);
    for (int bit = 0; bit < 64; ++bit) sums[static_cast<size_t>(bit)] += (signs >> bit & 1) ? value : -value;
  }
  return sums;
}

}  // namespace percale::goldens
