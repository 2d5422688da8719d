// Attention on the CPU: a head of a sequence at a time, its keys and values packed once, the queries in blocks.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "../common/random_words.h"
#include "attention_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/attention/attention_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "../common/product_block-inl.h"

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
  HeadRows<T> result, log_sums;
  size_t length, width;
  T scale, kept;
  const AttentionShape* shape;
  int64_t token, head;  ///< the sequence's first token
};

template <class T>
struct HeadGradients {
  HeadRows<const T> upstream;
  HeadRows<T> query, key, value;
};

/// Elements of scratch that the forward and the backward pass of a head take.
constexpr size_t forward_scratch(size_t length, size_t width) {
  return padded(length) * width + padded(width) * length + query_block * (padded(length) + padded(width));
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

/// exp(x) of x that are not above 0 by more than rounding: within 1 ulp, 0 below -87.7, NaN for NaN. Cephes' polynomial
/// (S. Moshier, expf).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_of_negative(D t, V x) {
  const hn::RebindToSigned<D> whole;
  const V magic = hn::Set(t, 12582912.0f);  // 1.5 * 2^23: adding it rounds to integers
  x = hn::Max(hn::Set(t, -88.0f), x);       // in this order NaN stays
  const V shifted = hn::MulAdd(x, hn::Set(t, 1.44269504f), magic), n = hn::Sub(shifted, magic);
  V r = hn::NegMulAdd(n, hn::Set(t, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(t, -2.12194440e-4f), r);
  V series = hn::MulAdd(hn::Set(t, 1.9875691500e-4f), r, hn::Set(t, 1.3981999507e-3f));
  series = hn::MulAdd(series, r, hn::Set(t, 8.3334519073e-3f));
  series = hn::MulAdd(series, r, hn::Set(t, 4.1665795894e-2f));
  series = hn::MulAdd(series, r, hn::Set(t, 1.6666665459e-1f));
  series = hn::MulAdd(series, r, hn::Set(t, 5.0000001201e-1f));
  series = hn::Add(hn::MulAdd(series, hn::Mul(r, r), r), hn::Set(t, 1.0f));
  const auto exponent =
      hn::Add(hn::BitCast(whole, shifted), hn::Set(whole, 127));  // the lowest bits of `shifted` are n
  return hn::Mul(series, hn::BitCast(t, hn::ShiftLeft<23>(exponent)));
}

template <class T>
HWY_INLINE T fold(T* lanes) {
  for (size_t half = row_group / 2; half > 0; half /= 2)
    for (size_t k = 0; k < half; ++k) lanes[k] += lanes[k + half];
  return lanes[0];
}

/// The row's products become exp(scale (x - largest)), zero behind `length`. Returns the sum and how much was taken
/// away.
HWY_INLINE float exponentials(float* row, size_t length, float scale, float& shift) {
  const hn::CappedTag<float, 16> t;
  constexpr size_t width = hn::MaxLanes(t), vectors = row_group / width;
  const size_t end = padded(length);
  const auto lowest = hn::Set(t, -std::numeric_limits<float>::infinity());
  for (size_t k = length; k < end; ++k) row[k] = -std::numeric_limits<float>::infinity();
  hn::Vec<decltype(t)> found[vectors];
  HWY_UNROLL(8)
  for (size_t v = 0; v < vectors; ++v) found[v] = lowest;
  for (size_t k = 0; k < end; k += row_group) HWY_UNROLL(8)
  for (size_t v = 0; v < vectors; ++v) found[v] = hn::Max(found[v], hn::LoadU(t, row + k + v * width));
  for (size_t v = 1; v < vectors; ++v) found[0] = hn::Max(found[0], found[v]);
  shift = scale * hn::GetLane(hn::MaxOfLanes(t, found[0]));
  const auto factor = hn::Set(t, scale), away = hn::Set(t, shift);
  HWY_UNROLL(8)
  for (size_t v = 0; v < vectors; ++v) found[v] = hn::Zero(t);
  for (size_t k = 0; k < end; k += row_group) HWY_UNROLL(8)
  for (size_t v = 0; v < vectors; ++v) {
    float* at = row + k + v * width;
    const auto value = exp_of_negative(t, hn::MulSub(hn::LoadU(t, at), factor, away));
    found[v] = hn::Add(found[v], value);
    hn::StoreU(value, t, at);
  }
  HWY_ALIGN float lanes[row_group];
  for (size_t v = 0; v < vectors; ++v) hn::StoreU(found[v], t, lanes + v * width);
  return fold(lanes);
}

HWY_INLINE double exponentials(double* row, size_t length, double scale, double& shift) {
  double largest = row[0], sum = 0;
  for (size_t k = 1; k < length; ++k) largest = row[k] > largest ? row[k] : largest;
  shift = scale * largest;
  for (size_t k = 0; k < length; ++k) sum += row[k] = std::exp(row[k] * scale - shift);
  return sum;
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

/// What belongs to a dropped weight of query `row` becomes 0, the rest grows to make up for it.
template <class T>
void drop(const Head<T>& head, size_t row, T* values) {
  constexpr size_t batch = 256;
  const int64_t first = masked_weight(head.token + static_cast<int64_t>(row), head.shape->heads, head.head, 0);
  uint32_t words[batch];
  for (size_t k = 0; k < head.length; k += batch) {
    const size_t count = std::min(batch, head.length - k);
    random_words(head.shape->key, static_cast<uint64_t>(first) / 4 + k / 4, static_cast<int64_t>(count + 3) / 4, words);
    for (size_t i = 0; i < count; ++i)
      values[k + i] = words[i] >= head.shape->threshold ? values[k + i] * head.kept : T(0);
  }
}

/// `columns` columns of `depth` rows in panels, as the products' right operand.
template <class T>
void pack_panels(const T* from, size_t depth_step, size_t column_step, size_t depth, size_t columns, T* packed) {
  for (size_t c = 0; c < columns; c += panel<T>)
    pack_block(from + c * column_step, depth_step, column_step, depth, std::min(panel<T>, columns - c),
               packed + c * depth);
}

/// out[rows, columns] (+)= left times the panels.
template <class T>
void multiply_panels(Block<T> block, const T* panels, size_t rows, size_t columns) {
  T* out = block.out;
  for (size_t c = 0; c < columns; c += panel<T>) {
    block.right = panels + c * block.depth;
    block.out = out + c;
    if (columns - c > lanes<T>)
      multiply_block<2>(block, rows);
    else
      multiply_block<1>(block, rows);
  }
}

/// Rows of a matrix times panels, into rows of `out`.
template <class T>
void multiply_rows_by(HeadRows<const T> left, size_t depth, const T* panels, size_t rows, size_t columns, T* out) {
  const Block<T> block{left.data, left.step, 1, row_block * left.step, nullptr, depth, out, padded(columns), true};
  multiply_panels(block, panels, rows, columns);
}

template <class T>
void forward(const Head<T>& head, T* scratch) {
  const size_t length = head.length, width = head.width, row_step = padded(length);
  T* keys = scratch;
  T* values = keys + row_step * width;
  T* products = values + padded(width) * length;
  T* sums = products + query_block * row_step;
  pack_panels(head.key.data, 1, head.key.step, width, length, keys);
  pack_panels(head.value.data, head.value.step, 1, length, width, values);
  T factors[query_block];
  const T* weights = products;
  for (size_t first = 0; first < length; first += query_block) {
    const size_t rows = std::min(query_block, length - first);
    multiply_rows_by<T>({head.query[first], head.query.step}, width, keys, rows, length, products);
    for (size_t r = 0; r < rows; ++r) {
      T* row = products + r * row_step;
      T shift;
      const T sum = exponentials(row, length, head.scale, shift);
      *head.log_sums[first + r] = shift + std::log(sum);
      factors[r] = 1 / sum;
      if (head.shape->threshold) drop<T>(head, first + r, row);
    }
    multiply_rows_by<T>({weights, row_step}, length, values, rows, width, sums);
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < width; ++c) head.result[first + r][c] = sums[r * padded(width) + c] * factors[r];
  }
}

/// What a block of queries adds to the gradients of all keys and values.
template <class T>
void add_to(T* gradient, const T* factors, size_t row_step, const T* rows, const Head<T>& head, size_t count,
            bool first) {
  const Block<T> block{factors, 1, row_step, row_block, nullptr, count, gradient, padded(head.width), first};
  multiply_panels(block, rows, head.length, head.width);
}

template <class T>
void backward(const Head<T>& head, const HeadGradients<T>& gradients, T* scratch) {
  const size_t length = head.length, width = head.width, row_step = padded(length), out_step = padded(width);
  auto take = [&](size_t count) {
    T* taken = scratch;
    scratch += count;
    return taken;
  };
  T *keys_across = take(row_step * width), *values_across = take(row_step * width), *keys = take(out_step * length);
  T *key_sums = take(out_step * length), *value_sums = take(out_step * length);
  T *weights = take(query_block * row_step), *products = take(query_block * row_step);
  T *queries = take(query_block * out_step), *upstream = take(query_block * out_step),
    *sums = take(query_block * out_step);
  pack_panels(head.key.data, 1, head.key.step, width, length, keys_across);
  pack_panels(head.value.data, 1, head.value.step, width, length, values_across);
  pack_panels(head.key.data, head.key.step, 1, length, width, keys);
  for (size_t first = 0; first < length; first += query_block) {
    const size_t rows = std::min(query_block, length - first);
    multiply_rows_by<T>({head.query[first], head.query.step}, width, keys_across, rows, length, weights);
    multiply_rows_by<T>({gradients.upstream[first], gradients.upstream.step}, width, values_across, rows, length,
                        products);
    for (size_t r = 0; r < rows; ++r) {
      T *row = weights + r * row_step, *gradient = products + r * row_step;
      weights_of(row, length, head.scale, *head.log_sums[first + r]);
      if (head.shape->threshold) drop<T>(head, first + r, gradient);
      to_product_gradients(row, gradient, length, dot<T>(gradients.upstream[first + r], head.result[first + r], width),
                           head.scale);
      if (head.shape->threshold) drop<T>(head, first + r, row);
    }
    multiply_rows_by<T>({products, row_step}, length, keys, rows, width, sums);
    for (size_t r = 0; r < rows; ++r) std::copy_n(sums + r * out_step, width, gradients.query[first + r]);
    pack_panels(head.query[first], head.query.step, 1, rows, width, queries);
    pack_panels(gradients.upstream[first], gradients.upstream.step, 1, rows, width, upstream);
    add_to<T>(key_sums, products, row_step, queries, head, rows, first == 0);
    add_to<T>(value_sums, weights, row_step, upstream, head, rows, first == 0);
  }
  for (size_t r = 0; r < length; ++r) {
    std::copy_n(key_sums + r * out_step, width, gradients.key[r]);
    std::copy_n(value_sums + r * out_step, width, gradients.value[r]);
  }
}

}  // namespace

void forward_f32(const Head<float>& head, float* scratch) { forward(head, scratch); }
void forward_f64(const Head<double>& head, double* scratch) { forward(head, scratch); }
void backward_f32(const Head<float>& head, const HeadGradients<float>& gradients, float* scratch) {
  backward(head, gradients, scratch);
}
void backward_f64(const Head<double>& head, const HeadGradients<double>& gradients, double* scratch) {
  backward(head, gradients, scratch);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "../../core/cpu/threads.h"
#include "../../core/error.h"
#include "../../core/primitives.h"

namespace percale::cpu {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_f64);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_f64);

namespace {

/// Heads of sequences a piece of work: some 2^18 multiply-adds, by the longest one's size.
int64_t grain_of(const AttentionShape& shape) {
  const int64_t work = 2 * shape.longest * shape.longest * shape.width;
  return std::max<int64_t>((1 << 18) / std::max<int64_t>(work, 1), 1);
}

Tensor widened(const Tensor& tensor) {
  if (tensor.dtype() != bf16) return tensor;
  const Tensor wide = Tensor::empty(tensor.shape(), {f32, cpu_device});
  copy(tensor, wide);
  return wide;
}

template <class T>
HeadRows<T> rows_of(const Tensor& tensor, int64_t row, int64_t column) {
  return {tensor.data<std::remove_const_t<T>>() + row * tensor.stride(0) + column,
          static_cast<size_t>(tensor.stride(0))};
}

/// Calls `body(head, sequence's first token, first column, scratch)` for each head of each sequence that has tokens.
template <class T, class Body>
void for_each_head(const AttentionOperands& operands, int64_t scratch, Body body) {
  const AttentionShape& shape = operands.shape;
  const int64_t* starts = operands.starts.data<int64_t>();
  parallel_for((operands.starts.numel() - 1) * shape.heads, grain_of(shape), [&](int64_t begin, int64_t end) {
    const Tensor memory = Tensor::empty({scratch}, {dtype_of<T>, cpu_device});
    for (int64_t i = begin; i < end; ++i) {
      const int64_t token = starts[i / shape.heads], length = starts[i / shape.heads + 1] - token;
      const int64_t number = i % shape.heads, column = number * shape.width;
      if (length == 0) continue;
      const Head<T> head{rows_of<const T>(operands.query, token, column),
                         rows_of<const T>(operands.key, token, column),
                         rows_of<const T>(operands.value, token, column),
                         rows_of<T>(operands.result, token, column),
                         rows_of<T>(operands.log_sums, token, number),
                         static_cast<size_t>(length),
                         static_cast<size_t>(shape.width),
                         static_cast<T>(shape.scale),
                         static_cast<T>(shape.kept),
                         &shape,
                         token,
                         number};
      body(head, token, column, memory.data<T>());
    }
  });
}

template <class T, class Run>
void run_forward(const AttentionOperands& operands, Run run) {
  const auto scratch =
      forward_scratch(static_cast<size_t>(operands.shape.longest), static_cast<size_t>(operands.shape.width));
  for_each_head<T>(operands, static_cast<int64_t>(scratch),
                   [&](const Head<T>& head, int64_t, int64_t, T* memory) { run(head, memory); });
}

template <class T, class Run>
void run_backward(const AttentionOperands& operands, const AttentionGradients& gradients, Run run) {
  const auto scratch =
      backward_scratch(static_cast<size_t>(operands.shape.longest), static_cast<size_t>(operands.shape.width));
  for_each_head<T>(
      operands, static_cast<int64_t>(scratch), [&](const Head<T>& head, int64_t token, int64_t column, T* memory) {
        const HeadGradients<T> own{rows_of<const T>(gradients.upstream, token, column),
                                   rows_of<T>(gradients.query, token, column), rows_of<T>(gradients.key, token, column),
                                   rows_of<T>(gradients.value, token, column)};
        run(head, own, memory);
      });
}

}  // namespace

void attention_starts(const Tensor& offsets, int64_t tokens, int64_t longest, const Tensor& starts) {
  int64_t* to = starts.data<int64_t>();
  const int64_t count = offsets.numel();
  visit_index("attention", offsets.dtype(), [&]<class Index>() {
    for (int64_t i = 0; i < count; ++i) {
      to[i] = static_cast<int64_t>(offsets.data<Index>()[i]);
      const int64_t least = i == count - 1 ? tokens : i ? to[i - 1] : 0, most = i ? tokens : 0;
      require(to[i] >= least && to[i] <= most, "attention",
              "offset {} at position {} is out of place: offsets begin at 0, do not fall, and end at {} tokens", to[i],
              i, tokens);
    }
  });
  for (int64_t i = 0; i + 1 < count; ++i)
    require(to[i + 1] - to[i] <= longest, "attention",
            "{} tokens of the sequence at position {} are more than the longest has, {}", to[i + 1] - to[i], i,
            longest);
}

void attention(const AttentionOperands& operands) {
  if (operands.query.dtype() == f64) return run_forward<double>(operands, HWY_DYNAMIC_DISPATCH(forward_f64));
  const Tensor query = widened(operands.query), key = widened(operands.key), value = widened(operands.value);
  const bool as_is = operands.result.dtype() == f32;
  const Tensor result = as_is ? operands.result : Tensor::empty(operands.result.shape(), {f32, cpu_device});
  run_forward<float>({query, key, value, operands.starts, result, operands.log_sums, operands.shape},
                     HWY_DYNAMIC_DISPATCH(forward_f32));
  if (!as_is) copy(result, operands.result);
}

void attention_gradient(const AttentionOperands& operands, const AttentionGradients& gradients) {
  if (operands.query.dtype() == f64)
    return run_backward<double>(operands, gradients, HWY_DYNAMIC_DISPATCH(backward_f64));
  const Tensor query = widened(operands.query), key = widened(operands.key), value = widened(operands.value);
  const Tensor result = widened(operands.result), upstream = widened(gradients.upstream);
  const auto wide = [](const Tensor& like) {
    return like.dtype() == f32 ? like : Tensor::empty(like.shape(), {f32, cpu_device});
  };
  const Tensor of_query = wide(gradients.query), of_key = wide(gradients.key), of_value = wide(gradients.value);
  run_backward<float>({query, key, value, operands.starts, result, operands.log_sums, operands.shape},
                      {upstream, of_query, of_key, of_value}, HWY_DYNAMIC_DISPATCH(backward_f32));
  if (of_query.dtype() == gradients.query.dtype()) return;
  copy(of_query, gradients.query);
  copy(of_key, gradients.key);
  copy(of_value, gradients.value);
}

}  // namespace percale::cpu
#endif
