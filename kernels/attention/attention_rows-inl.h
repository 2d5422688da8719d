// What attention does to rows of one head on the CPU: exponentials, their sums, dropout. For attention_cpu.cpp.
#if defined(PERCALE_ATTENTION_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_ATTENTION_ROWS_INL_H
#undef PERCALE_ATTENTION_ROWS_INL_H
#else
#define PERCALE_ATTENTION_ROWS_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "../common/random_words.h"
#include "../common/vector_math-inl.h"
#include "attention_twins.h"

#ifndef PERCALE_ATTENTION_HEAD
#define PERCALE_ATTENTION_HEAD
namespace percale::cpu {

/// Rows of queries that are worked on together.
constexpr size_t query_block = 64;
/// Elements that rows are padded to: whole vectors with every instruction set, so that all of them sum alike.
constexpr size_t row_group = 32;

constexpr size_t padded(size_t count) { return (count + row_group - 1) / row_group * row_group; }

/// Rows of one head of one sequence, `step` elements apart.
template <class T>
struct HeadRows {
  T* data;
  size_t step;
  T* operator[](size_t row) const { return data + row * step; }
};

/// One head of one sequence: all rows begin at its first token.
template <class T>
struct Head {
  HeadRows<const T> query, key, value;
  HeadRows<T> result;
  HeadRows<compute_t<T>> log_sums;
  size_t length, width;
  compute_t<T> scale, kept;
  const AttentionShape* shape;
  int64_t token, head;  ///< the sequence's first token
};

template <class T>
struct HeadGradients {
  HeadRows<const T> result, upstream;
  HeadRows<T> query, key, value;
};

/// Elements of scratch that the forward (of bf16 by dot products of pairs: also) and the backward pass of a head take.
constexpr size_t forward_scratch(size_t length, size_t width) {
  return padded(length) * width + padded(width) * length + query_block * (padded(length) + padded(width));
}
constexpr size_t pairs_scratch(size_t length, size_t width) {
  return row_group * (width + (length + 1) / 2 + length) + padded(width) * ((length + 1) / 2);
}
constexpr size_t backward_scratch(size_t length, size_t width) {
  return 2 * padded(length) * width + 3 * padded(width) * length +
         query_block * (2 * padded(length) + 3 * padded(width));
}

}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using simd::exp_of_negative;

template <class T>
HWY_INLINE T fold(T* lanes) {
  for (size_t half = row_group / 2; half > 0; half /= 2)
    for (size_t k = 0; k < half; ++k) lanes[k] += lanes[k + half];
  return lanes[0];
}

/// The sum of `count` vectors' lanes, in the order of `fold`.
template <size_t count, class D, class V>
HWY_INLINE float fold_vectors(D t, V* vectors) {
  for (size_t half = count / 2; half > 0; half /= 2)
    for (size_t k = 0; k < half; ++k) vectors[k] = hn::Add(vectors[k], vectors[k + half]);
  return hn::GetLane(hn::SumOfLanes(t, vectors[0]));
}

/// The row's products become exp(scale (x - largest)), zero behind `length`. Returns the sum and how much was taken
/// away.
HWY_INLINE float exponentials(float* row, size_t length, float scale, float& shift) {
  const hn::CappedTag<float, 16> t;
  constexpr size_t width = hn::MaxLanes(t), vectors = row_group / width;
  const size_t end = padded(length);
  const auto lowest = hn::Set(t, -std::numeric_limits<float>::infinity());
  const auto load = [&](size_t at) HWY_ATTR {
    const auto value = hn::LoadU(t, row + at);
    return at + width <= length ? value : hn::IfThenElse(hn::FirstN(t, std::max(at, length) - at), value, lowest);
  };
  hn::Vec<decltype(t)> found[vectors];
  HWY_UNROLL(8)
  for (size_t v = 0; v < vectors; ++v) found[v] = lowest;
  for (size_t k = 0; k < end; k += row_group) HWY_UNROLL(8)
  for (size_t v = 0; v < vectors; ++v) found[v] = hn::Max(found[v], load(k + v * width));
  for (size_t v = 1; v < vectors; ++v) found[0] = hn::Max(found[0], found[v]);
  shift = scale * hn::GetLane(hn::MaxOfLanes(t, found[0]));
  const auto factor = hn::Set(t, scale), away = hn::Set(t, shift);
  HWY_UNROLL(8)
  for (size_t v = 0; v < vectors; ++v) found[v] = hn::Zero(t);
  for (size_t k = 0; k < end; k += row_group) HWY_UNROLL(8)
  for (size_t v = 0; v < vectors; ++v) {
    const size_t at = k + v * width;
    const auto value = exp_of_negative(t, hn::MulSub(load(at), factor, away));
    found[v] = hn::Add(found[v], value);
    hn::StoreU(value, t, row + at);
  }
  return fold_vectors<vectors>(t, found);
}

HWY_INLINE double exponentials(double* row, size_t length, double scale, double& shift) {
  double largest = row[0], sum = 0;
  for (size_t k = 1; k < length; ++k) largest = row[k] > largest ? row[k] : largest;
  shift = scale * largest;
  for (size_t k = 0; k < length; ++k) sum += row[k] = std::exp(row[k] * scale - shift);
  return sum;
}

HWY_INLINE void take_logarithms(const float* sums, size_t count, float* logarithms) {
  for_each_vector<1>(&sums, logarithms, count,
                     [](auto t, auto sum, auto, auto, auto) HWY_ATTR { return simd::log(t, sum); });
}
HWY_INLINE void take_logarithms(const double* sums, size_t count, double* logarithms) {
  for (size_t i = 0; i < count; ++i) logarithms[i] = std::log(sums[i]);
}

/// The weights of a query again, from its products and the logarithm of its sum.
HWY_INLINE void weights_of(float* row, size_t length, float scale, float log_sum) {
  const hn::CappedTag<float, 16> t;
  const auto factor = hn::Set(t, scale), away = hn::Set(t, log_sum);
  for (size_t k = 0; k < length; k += hn::MaxLanes(t))
    hn::StoreU(exp_of_negative(t, hn::MulSub(hn::LoadU(t, row + k), factor, away)), t, row + k);
}
HWY_INLINE void weights_of(double* row, size_t length, double scale, double log_sum) {
  for (size_t k = 0; k < length; ++k) row[k] = std::exp(row[k] * scale - log_sum);
}

/// The gradients by the products: weights * (gradient - dot) * scale, into `gradient`.
template <class T>
HWY_INLINE void to_product_gradients(const T* weights, T* gradient, size_t length, T dot, T scale) {
  const hn::CappedTag<T, 16> t;
  const auto away = hn::Set(t, dot), factor = hn::Set(t, scale);
  for (size_t k = 0; k < length; k += hn::MaxLanes(t)) {
    const auto value = hn::Mul(hn::Mul(hn::LoadU(t, weights + k), factor), hn::Sub(hn::LoadU(t, gradient + k), away));
    hn::StoreU(value, t, gradient + k);
  }
}

template <class T>
HWY_INLINE T dot(const T* a, const T* b, size_t count) {
  HWY_ALIGN T lanes[row_group] = {};
  size_t k = 0;
  for (; k + row_group <= count; k += row_group)
    for (size_t i = 0; i < row_group; ++i) lanes[i] += a[k + i] * b[k + i];
  for (size_t i = 0; k + i < count; ++i) lanes[i] += a[k + i] * b[k + i];
  return fold(lanes);
}

/// What belongs to a dropped weight of query `row` becomes 0, the rest grows to make up for it; `step` from a key to
/// the next.
template <class T>
void drop(const Head<T>& head, size_t row, compute_t<T>* values, size_t step = 1) {
  constexpr size_t batch = 256;
  const int64_t first = masked_weight(head.token + static_cast<int64_t>(row), head.shape->heads, head.head, 0);
  uint32_t words[batch];
  for (size_t k = 0; k < head.length; k += batch) {
    const size_t count = std::min(batch, head.length - k);
    random_words(head.shape->key, static_cast<uint64_t>(first) / 4 + k / 4, static_cast<int64_t>(count + 3) / 4, words);
    for (size_t i = 0; i < count; ++i) {
      auto& value = values[(k + i) * step];
      value = words[i] >= head.shape->threshold ? value * head.kept : 0;
    }
  }
}

}  // namespace
}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
