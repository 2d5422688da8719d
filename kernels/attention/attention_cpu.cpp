// Attention on the CPU: a head of a sequence at a time, its keys and values packed once, the queries in blocks.
#include <algorithm>
#include <cstdint>

#include "../common/product_bf16_pairs.h"
#include "attention_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/attention/attention_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "../common/dot_pairs-inl.h"
#include "../common/product_block-inl.h"
#include "attention_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

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

/// The products of queries `first`... with all keys become their exponentials, and `factors` what makes them shares.
template <class T, class Sum = compute_t<T>>
void soften(const Head<T>& head, size_t first, size_t rows, Sum* products, Sum* factors) {
  for (size_t r = 0; r < rows; ++r) {
    Sum* row = products + r * padded(head.length);
    Sum shift;
    const Sum sum = exponentials(row, head.length, head.scale, shift);
    *head.log_sums[first + r] = shift;
    factors[r] = sum;
    if (head.shape->threshold) drop<T>(head, first + r, row);
  }
  Sum logarithms[query_block];
  take_logarithms(factors, rows, logarithms);
  for (size_t r = 0; r < rows; ++r) {
    *head.log_sums[first + r] += logarithms[r];
    factors[r] = 1 / factors[r];
  }
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
    soften(head, first, rows, products, factors);
    multiply_rows_by<T>({weights, row_step}, length, values, rows, width, sums);
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < width; ++c) head.result[first + r][c] = sums[r * padded(width) + c] * factors[r];
  }
}

#if HWY_TARGET == HWY_AVX3
/// Two rows of 16 as pairs of bfloat16, `low` first.
HWY_INLINE void store_pairs(PairSums low, PairSums high, uint32_t* to) {
  HWY_ALIGN static constexpr uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const hn::ScalableTag<uint16_t> halves;
  hn::Vec<decltype(halves)> rounded, pairs;
  asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(rounded.raw) : "v"(high.raw), "v"(low.raw));
  asm("vpermw %2, %1, %0" : "=v"(pairs.raw) : "v"(hn::Load(halves, order).raw), "v"(rounded.raw));
  hn::StoreU(pairs, halves, reinterpret_cast<uint16_t*>(to));
}

/// `count` queries from `first` on, whose pairs are neighbours, as a panel; `beside` has room for one.
void pack_queries(const Head<bfloat16>& head, size_t first, size_t count, uint32_t* panel, bfloat16* beside) {
  const bfloat16* from = head.query[first];
  if (count == pair_panel) return pack_panel(from, 1, head.query.step, head.width, pair_panel, panel);
  const hn::ScalableTag<uint16_t> d;
  for (size_t r = 0; r < count; ++r, from += head.query.step) {
    bfloat16* to = beside + r * head.width;
    size_t c = 0;
    for (; c + 32 <= head.width; c += 32)
      hn::StoreU(hn::LoadU(d, reinterpret_cast<const uint16_t*>(from + c)), d, reinterpret_cast<uint16_t*>(to + c));
    std::copy_n(from + c, head.width - c, to + c);
  }
  std::fill_n(beside + count * head.width, (pair_panel - count) * head.width, bfloat16(0));
  pack_panel(beside, 1, head.width, head.width, pair_panel, panel);
}

/// The products of all keys, a row each, with a panel of queries become exponentials, rounded in pairs of keys;
/// `factors` is what makes them shares. Maxima and sums are taken between vectors, never within one.
void soften_panel(const Head<bfloat16>& head, size_t first, size_t count, float* products, uint32_t* shares,
                  float* factors) {
  const hn::ScalableTag<float> d;
  HWY_ALIGN float log_sums[pair_panel];
  const size_t length = head.length;
  for (size_t v = 0; v < count; v += 16) {
    float* own = products + v;
    auto largest = hn::LoadU(d, own);
    for (size_t k = 1; k < length; ++k) largest = hn::Max(largest, hn::LoadU(d, own + k * pair_panel));
    const auto factor = hn::Set(d, head.scale), away = hn::Mul(largest, factor);
    auto sum = hn::Zero(d);
    for (size_t k = 0; k < length; ++k) {
      const auto value = exp_of_negative(d, hn::MulSub(hn::LoadU(d, own + k * pair_panel), factor, away));
      sum = hn::Add(sum, value);
      hn::StoreU(value, d, own + k * pair_panel);
    }
    hn::Store(hn::Add(away, simd::log(d, sum)), d, log_sums + v);
    hn::StoreU(hn::Div(hn::Set(d, 1.0f), sum), d, factors + v);
  }
  for (size_t r = 0; r < count; ++r) {
    *head.log_sums[first + r] = log_sums[r];
    if (head.shape->threshold) drop<bfloat16>(head, first + r, products + r, pair_panel);
  }
  for (size_t k = 0; k < length; k += 2)
    for (size_t v = 0; v < count; v += 16) {
      const float* own = products + k * pair_panel + v;
      store_pairs(hn::LoadU(d, own), k + 1 < length ? hn::LoadU(d, own + pair_panel) : hn::Zero(d),
                  shares + k / 2 * pair_panel + v);
    }
}

/// bf16 by the processor's dot products, a panel of queries at a time: the shares are rounded too, before they are
/// divided by their sum.
void forward_pairs(const Head<bfloat16>& head, float* scratch) {
  const hn::ScalableTag<float> d;
  const size_t length = head.length, width = head.width, key_pairs = (length + 1) / 2;
  auto* values = reinterpret_cast<uint32_t*>(scratch);
  uint32_t *queries = values + padded(width) * key_pairs, *shares = queries + width / 2 * pair_panel;
  auto* beside = reinterpret_cast<bfloat16*>(shares + key_pairs * pair_panel);
  auto* products = reinterpret_cast<float*>(beside + width * pair_panel);
  for (size_t c = 0; c < width; c += pair_panel)
    pack_panel(head.value.data + c, head.value.step, 1, length, std::min(pair_panel, width - c),
               values + c * key_pairs);
  const PairRows keys{reinterpret_cast<const char*>(head.key.data), head.key.step * sizeof(bfloat16), sizeof(uint32_t),
                      length, width / 2};
  HWY_ALIGN float factors[pair_panel];
  for (size_t first = 0; first < length; first += pair_panel) {
    const size_t count = std::min(pair_panel, length - first);
    pack_queries(head, first, count, queries, beside);
    dot_all_rows(keys, queries, [&](size_t k, size_t v, PairSums sums) HWY_ATTR {
      hn::StoreU(sums, d, products + k * pair_panel + 16 * v);
    });
    soften_panel(head, first, count, products, shares, factors);
    const PairRows left{reinterpret_cast<const char*>(shares), sizeof(uint32_t), pair_panel * sizeof(uint32_t), count,
                        key_pairs};
    for (size_t c = 0; c < width; c += pair_panel)
      dot_all_rows(left, values + c * key_pairs, [&](size_t r, size_t v, PairSums sums) HWY_ATTR {
        store_bf16_columns(hn::Mul(sums, hn::Set(d, factors[r])), head.result[first + r] + c + 16 * v,
                           width - c - std::min(16 * v, width - c));
      });
  }
}
#else
void forward_pairs(const Head<bfloat16>&, float*) {}  // is not called: `has_bf16_pairs`
#endif

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

void forward_bf16(const Head<bfloat16>& head, float* scratch) { forward_pairs(head, scratch); }
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
HWY_EXPORT(forward_bf16);
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
  const int64_t step = tensor.strides()[0];
  return {tensor.data<std::remove_const_t<T>>() + row * step + column, static_cast<size_t>(step)};
}

/// The rows of one head as T: where they lie, or bf16 as f32 in the scratch.
template <class T>
class HeadMemory {
 public:
  using Scratch = compute_t<T>;
  static constexpr size_t most = 8;  ///< of what is converted

  HeadMemory(int64_t token, int64_t column, int64_t length, int64_t width, Scratch* scratch)
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
  Scratch* scratch() const { return scratch_; }

 private:
  HeadRows<T> take() {
    if constexpr (std::is_same_v<T, Scratch>) {
      const HeadRows<T> taken{scratch_, width_};
      scratch_ += padded(length_ * width_);
      return taken;
    }
    return {};  // bf16 is not converted
  }
  int64_t token_, column_;
  size_t length_, width_;
  Scratch* scratch_;
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
      scratch(most, width) + (operands.query.dtype() != dtype_of<T> ? HeadMemory<T>::most * padded(most * width) : 0);
  parallel_for((operands.starts.numel() - 1) * shape.heads, grain_of(longest, shape.width),
               [&](int64_t begin, int64_t end) {
                 using Sum = compute_t<T>;
                 const Tensor block = Tensor::empty({static_cast<int64_t>(elements)}, {dtype_of<Sum>, cpu_device});
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t token = starts[i / shape.heads], length = starts[i / shape.heads + 1] - token,
                                 number = i % shape.heads;
                   if (length == 0) continue;
                   HeadMemory<T> memory(token, number * shape.width, length, shape.width, block.data<Sum>());
                   Head<T> head{};
                   head.query = memory.read(operands.query);
                   head.key = memory.read(operands.key);
                   head.value = memory.read(operands.value);
                   head.log_sums = rows_of<Sum>(operands.log_sums, token, number);
                   head.length = static_cast<size_t>(length);
                   head.width = width;
                   head.scale = static_cast<Sum>(shape.scale);
                   head.kept = static_cast<Sum>(shape.kept);
                   head.shape = &shape;
                   head.token = token;
                   head.head = number;
                   body(head, memory);
                   memory.finish();
                 }
               });
}

template <class T, class Scratch, class Run>
void run_forward(const AttentionOperands& operands, Scratch scratch, Run run) {
  for_each_head<T>(operands, scratch, [&](Head<T>& head, HeadMemory<T>& memory) {
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
    run_forward<double>(operands, forward_scratch, HWY_DYNAMIC_DISPATCH(forward_f64));
  else if (operands.query.dtype() == bf16 && operands.shape.width % 2 == 0 && has_bf16_pairs())
    run_forward<bfloat16>(operands, pairs_scratch, HWY_DYNAMIC_DISPATCH(forward_bf16));
  else
    run_forward<float>(operands, forward_scratch, HWY_DYNAMIC_DISPATCH(forward_f32));
}

void attention_gradient(const AttentionOperands& operands, const AttentionGradients& gradients) {
  if (operands.query.dtype() == f64)
    run_backward<double>(operands, gradients, HWY_DYNAMIC_DISPATCH(backward_f64));
  else
    run_backward<float>(operands, gradients, HWY_DYNAMIC_DISPATCH(backward_f32));
}

}  // namespace percale::cpu
#endif
