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
#include "../common/vector_math-inl.h"

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
  HeadRows<const T> result, upstream;
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

/// `columns` columns of `depth` rows in panels, as the products' right operand. `beside` has room for a panel, if the
/// columns' elements are neighbours; else null.
template <class T>
void pack_panels(const T* from, size_t depth_step, size_t column_step, size_t depth, size_t columns, T* packed,
                 T* beside) {
  size_t c = 0;
  for (; c + panel<T> <= columns; c += panel<T>)
    pack_block(from + c * column_step, depth_step, column_step, depth, panel<T>, packed + c * depth);
  if (c == columns) return;
  from += c * column_step;
  if (beside == nullptr) {
    pack_block(from, depth_step, column_step, depth, columns - c, packed + c * depth);
    return;
  }
  // Columns whose elements are neighbours are packed a square at a time where there is a whole panel of them.
  for (size_t k = 0; k < columns - c; ++k) std::copy_n(from + k * column_step, depth, beside + k * depth);
  std::fill_n(beside + (columns - c) * depth, (panel<T> - (columns - c)) * depth, T(0));
  pack_block(beside, 1, depth, depth, panel<T>, packed + c * depth);
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
  pack_panels(head.key.data, 1, head.key.step, width, length, keys, sums);
  pack_panels<T>(head.value.data, head.value.step, 1, length, width, values, nullptr);
  T factors[query_block];
  const T* weights = products;
  for (size_t first = 0; first < length; first += query_block) {
    const size_t rows = std::min(query_block, length - first);
    multiply_rows_by<T>({head.query[first], head.query.step}, width, keys, rows, length, products);
    for (size_t r = 0; r < rows; ++r) {
      T* row = products + r * row_step;
      T shift;
      const T sum = exponentials(row, length, head.scale, shift);
      *head.log_sums[first + r] = shift;
      factors[r] = sum;
      if (head.shape->threshold) drop<T>(head, first + r, row);
    }
    T logarithms[query_block];
    take_logarithms(factors, rows, logarithms);
    for (size_t r = 0; r < rows; ++r) {
      *head.log_sums[first + r] += logarithms[r];
      factors[r] = 1 / factors[r];
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
  pack_panels(head.key.data, 1, head.key.step, width, length, keys_across, sums);
  pack_panels(head.value.data, 1, head.value.step, width, length, values_across, sums);
  pack_panels<T>(head.key.data, head.key.step, 1, length, width, keys, nullptr);
  for (size_t first = 0; first < length; first += query_block) {
    const size_t rows = std::min(query_block, length - first);
    multiply_rows_by<T>({head.query[first], head.query.step}, width, keys_across, rows, length, weights);
    multiply_rows_by<T>({gradients.upstream[first], gradients.upstream.step}, width, values_across, rows, length,
                        products);
    for (size_t r = 0; r < rows; ++r) {
      T *row = weights + r * row_step, *gradient = products + r * row_step;
      weights_of(row, length, head.scale, *head.log_sums[first + r]);
      if (head.shape->threshold) drop<T>(head, first + r, gradient);
      to_product_gradients(row, gradient, length,
                           dot<T>(gradients.upstream[first + r], gradients.result[first + r], width), head.scale);
      if (head.shape->threshold) drop<T>(head, first + r, row);
    }
    multiply_rows_by<T>({products, row_step}, length, keys, rows, width, sums);
    for (size_t r = 0; r < rows; ++r) std::copy_n(sums + r * out_step, width, gradients.query[first + r]);
    pack_panels<T>(head.query[first], head.query.step, 1, rows, width, queries, nullptr);
    pack_panels<T>(gradients.upstream[first], gradients.upstream.step, 1, rows, width, upstream, nullptr);
    add_to<T>(key_sums, products, row_step, queries, head, rows, first == 0);
    add_to<T>(value_sums, weights, row_step, upstream, head, rows, first == 0);
  }
  for (size_t r = 0; r < length; ++r) {
    std::copy_n(key_sums + r * out_step, width, gradients.key[r]);
    std::copy_n(value_sums + r * out_step, width, gradients.value[r]);
  }
}

}  // namespace

void widen_rows(HeadRows<const bfloat16> from, size_t rows, size_t width, float* to) {
  for (size_t r = 0; r < rows; ++r, to += width)
    for (size_t c = 0; c < width; ++c) to[c] = from[r][c];
}
void round_rows(const float* from, size_t rows, size_t width, HeadRows<bfloat16> to) {
  for (size_t r = 0; r < rows; ++r, from += width)
    for (size_t c = 0; c < width; ++c) to[r][c] = bfloat16(from[c]);
}

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

namespace percale::cpu {

HWY_EXPORT(widen_rows);
HWY_EXPORT(round_rows);
HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_f64);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_f64);

namespace {

int64_t longest_of(const Tensor& starts) {
  int64_t longest = 0;
  for (int64_t i = 0; i + 1 < starts.numel(); ++i)
    longest = std::max(longest, starts.data<int64_t>()[i + 1] - starts.data<int64_t>()[i]);
  return longest;
}

/// Heads of sequences a piece of work: some 2^18 multiply-adds, by the longest one's size.
int64_t grain_of(int64_t longest, int64_t width) {
  const int64_t work = 2 * longest * longest * width;
  return std::max<int64_t>((1 << 18) / std::max<int64_t>(work, 1), 1);
}

template <class T>
HeadRows<T> rows_of(const Tensor& tensor, int64_t row, int64_t column) {
  return {tensor.data<std::remove_const_t<T>>() + row * tensor.stride(0) + column,
          static_cast<size_t>(tensor.stride(0))};
}

/// The rows of one head as T: where they lie, or for bf16 in the scratch.
template <class T>
class HeadMemory {
 public:
  static constexpr size_t most = 8;  ///< of what is converted

  HeadMemory(int64_t token, int64_t column, int64_t length, int64_t width, T* scratch)
      : token_(token),
        column_(column),
        length_(static_cast<size_t>(length)),
        width_(static_cast<size_t>(width)),
        scratch_(scratch) {}

  HeadRows<const T> read(const Tensor& tensor) {
    if (tensor.dtype() == dtype_of<T>) return rows_of<const T>(tensor, token_, column_);
    const HeadRows<T> own = take();
    if constexpr (std::is_same_v<T, float>)
      HWY_DYNAMIC_DISPATCH(widen_rows)(rows_of<const bfloat16>(tensor, token_, column_), length_, width_, own.data);
    return {own.data, own.step};
  }
  HeadRows<T> write(const Tensor& tensor) {
    if (tensor.dtype() == dtype_of<T>) return rows_of<T>(tensor, token_, column_);
    written_[count_] = &tensor;
    return rows_[count_++] = take();
  }
  /// Rounds what has been written.
  void finish() const {
    if constexpr (std::is_same_v<T, float>)
      for (size_t i = 0; i < count_; ++i) HWY_DYNAMIC_DISPATCH(round_rows)
    (rows_[i].data, length_, width_, rows_of<bfloat16>(*written_[i], token_, column_));
  }
  T* scratch() const { return scratch_; }

 private:
  HeadRows<T> take() {
    const HeadRows<T> taken{scratch_, width_};
    scratch_ += padded(length_ * width_);
    return taken;
  }
  int64_t token_, column_;
  size_t length_, width_;
  T* scratch_;
  const Tensor* written_[most];
  HeadRows<T> rows_[most];
  size_t count_ = 0;
};

/// Calls `body(head, memory)` for each head of each sequence that has tokens; `scratch(length, width)` is what it
/// takes.
template <class T, class Scratch, class Body>
void for_each_head(const AttentionOperands& operands, Scratch scratch, Body body) {
  const AttentionShape& shape = operands.shape;
  const int64_t* starts = operands.starts.data<int64_t>();
  const int64_t longest = longest_of(operands.starts);
  const auto most = static_cast<size_t>(longest), width = static_cast<size_t>(shape.width);
  const size_t elements =
      scratch(most, width) + (operands.query.dtype() == bf16 ? HeadMemory<T>::most * padded(most * width) : 0);
  parallel_for((operands.starts.numel() - 1) * shape.heads, grain_of(longest, shape.width),
               [&](int64_t begin, int64_t end) {
                 const Tensor block = Tensor::empty({static_cast<int64_t>(elements)}, {dtype_of<T>, cpu_device});
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t token = starts[i / shape.heads], length = starts[i / shape.heads + 1] - token,
                                 number = i % shape.heads;
                   if (length == 0) continue;
                   HeadMemory<T> memory(token, number * shape.width, length, shape.width, block.data<T>());
                   Head<T> head{};
                   head.query = memory.read(operands.query);
                   head.key = memory.read(operands.key);
                   head.value = memory.read(operands.value);
                   head.log_sums = rows_of<T>(operands.log_sums, token, number);
                   head.length = static_cast<size_t>(length);
                   head.width = width;
                   head.scale = static_cast<T>(shape.scale);
                   head.kept = static_cast<T>(shape.kept);
                   head.shape = &shape;
                   head.token = token;
                   head.head = number;
                   body(head, memory);
                   memory.finish();
                 }
               });
}

template <class T, class Run>
void run_forward(const AttentionOperands& operands, Run run) {
  for_each_head<T>(operands, forward_scratch, [&](Head<T>& head, HeadMemory<T>& memory) {
    head.result = memory.write(operands.result);
    run(head, memory.scratch());
  });
}

template <class T, class Run>
void run_backward(const AttentionOperands& operands, const AttentionGradients& gradients, Run run) {
  for_each_head<T>(operands, backward_scratch, [&](Head<T>& head, HeadMemory<T>& memory) {
    const HeadRows<const T> result = memory.read(operands.result);
    const HeadGradients<T> own{result, memory.read(gradients.upstream), memory.write(gradients.query),
                               memory.write(gradients.key), memory.write(gradients.value)};
    run(head, own, memory.scratch());
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
  if (operands.query.dtype() == f64)
    run_forward<double>(operands, HWY_DYNAMIC_DISPATCH(forward_f64));
  else
    run_forward<float>(operands, HWY_DYNAMIC_DISPATCH(forward_f32));
}

void attention_gradient(const AttentionOperands& operands, const AttentionGradients& gradients) {
  if (operands.query.dtype() == f64)
    run_backward<double>(operands, gradients, HWY_DYNAMIC_DISPATCH(backward_f64));
  else
    run_backward<float>(operands, gradients, HWY_DYNAMIC_DISPATCH(backward_f32));
}

}  // namespace percale::cpu
#endif
