// What the two twins of the random operations implement, and how an element's bits become its number: one source for
// both.
#pragma once

#include <cstdint>
#include <type_traits>

#include "../../core/philox.h"
#include "../../core/tensor.h"
#include "../common/convert.h"

namespace percale::random {

enum class Distribution : uint8_t { uniform, normal, integers };

/// What is drawn: uniform in [first, second), normal with mean `first` and deviation `second`, or one of `count`
/// integers from `lowest` on.
struct Draw {
  Distribution distribution;
  double first = 0, second = 1;
  int64_t lowest = 0;
  uint64_t count = 1;
};

/// Elements that share a Philox block: an integer takes 64 bits, a real number 32.
PERCALE_HOST_DEVICE inline int elements_in_block(Distribution distribution) {
  return distribution == Distribution::integers ? 2 : 4;
}

/// The upper half of the product of two 64-bit numbers.
PERCALE_HOST_DEVICE inline uint64_t high_product(uint64_t a, uint64_t b) {
  const uint64_t a_low = a & 0xffffffffu, a_high = a >> 32, b_low = b & 0xffffffffu, b_high = b >> 32;
  const uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
  return a_high * b_high + (middle >> 32) + ((a_low * b_high + (middle & 0xffffffffu)) >> 32);
}

/// In [0, 1) with as many bits as T holds, so that no number rounds up to 1.
template <class T>
PERCALE_HOST_DEVICE inline double uniform_of(uint32_t bits) {
  constexpr int digits = std::is_same_v<T, half> ? 11 : std::is_same_v<T, bfloat16> ? 8 : 24;
  return static_cast<double>(static_cast<int32_t>(bits >> (32 - digits))) / static_cast<double>(int32_t{1} << digits);
}

template <class T>
PERCALE_HOST_DEVICE inline T uniform_element(const Draw& draw, uint32_t bits) {
  const T value = convert_to<T>(draw.first + (draw.second - draw.first) * uniform_of<T>(bits));
  const bool rounded_up = static_cast<double>(static_cast<compute_t<T>>(value)) >= draw.second;
  return rounded_up ? convert_to<T>(draw.first) : value;
}

template <class T>
PERCALE_HOST_DEVICE inline T normal_element(const Draw& draw, float normal) {
  return convert_to<T>(draw.first + draw.second * static_cast<double>(normal));
}

template <class T>
PERCALE_HOST_DEVICE inline T integer_element(const Draw& draw, uint32_t low, uint32_t high) {
  const uint64_t above = high_product(low | static_cast<uint64_t>(high) << 32, draw.count);
  return convert_to<T>(static_cast<int64_t>(static_cast<uint64_t>(draw.lowest) + above));
}

/// The element that stands at place `at` of its block.
template <class T>
PERCALE_HOST_DEVICE inline T element(const Draw& draw, const uint32_t* words, int at) {
  if (draw.distribution == Distribution::integers) return integer_element<T>(draw, words[2 * at], words[2 * at + 1]);
  if constexpr (!std::is_integral_v<T>) {
    if (draw.distribution == Distribution::normal) return normal_element<T>(draw, normal_from_bits(words[at]));
    return uniform_element<T>(draw, words[at]);
  }
  return T(0);  // no real number is drawn as an integer
}

}  // namespace percale::random

namespace percale::cpu {
/// Element i in row-major order is drawn from the bits of i. `in_place`: the target is lasting state, left alone once
/// an operation has met a bad index.
void draw(const random::Draw& draw, const RandomKey& key, const Tensor& target, bool in_place);
/// A permutation of 0 to count - 1 into a contiguous i64 or i32 target.
void permutation(const RandomKey& key, const Tensor& target);
}  // namespace percale::cpu

namespace percale::cuda {
void draw(const random::Draw& draw, const RandomKey& key, const Tensor& target, bool in_place);
void permutation(const RandomKey& key, const Tensor& target);
}  // namespace percale::cuda
