#include "attention.h"

#include <cmath>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/precision.h"
#include "../../core/random.h"
#include "../../core/trace.h"
#include "attention_twins.h"

namespace percale {
namespace {

constexpr const char* name = "attention";

void check(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& offsets, int64_t longest,
           const AttentionOptions& options) {
  require(query.rank() == 2 && key.shape() == query.shape() && value.shape() == query.shape(), name,
          "query, key and value must all be [tokens, heads * width], got {}, {} and {}", query.shape(), key.shape(),
          value.shape());
  require(query.dtype() == f32 || query.dtype() == f64 || query.dtype() == bf16, name,
          "query must be of f32, f64 or bf16, got {}", query.dtype());
  require(key.dtype() == query.dtype() && value.dtype() == query.dtype(), name,
          "query, key and value must have the same dtype, got {}, {} and {}", query.dtype(), key.dtype(),
          value.dtype());
  require_same_device(name, {&query, &key, &value, &offsets});
  require(offsets.rank() == 1 && offsets.numel() > 0 && is_index(offsets.dtype()), name,
          "offsets must be [sequences + 1] of i64 or i32, got {} of {}", offsets.shape(), offsets.dtype());
  require(options.heads >= 1 && query.size(1) % options.heads == 0, name, "{} columns cannot be shared by {} heads",
          query.size(1), options.heads);
  const int64_t width = query.size(1) / options.heads;
  require(width >= 1 && width <= most_attention_width, name, "a head must have 1 to {} columns, got {}",
          most_attention_width, width);
  require(options.scale >= 0, name, "the scale must not be negative, got {}", options.scale);
  require(options.dropout >= 0 && options.dropout < 1, name, "the dropout must be at least 0 and below 1, got {}",
          options.dropout);
  const int64_t most = options.dropout > 0 ? most_masked_tokens - 1 : INT32_MAX;
  require(longest >= 0 && longest <= most, name, "the longest sequence must have 0 to {} tokens, got {}", most,
          longest);
}

AttentionShape shape_of(const Tensor& query, int64_t longest, const AttentionOptions& options) {
  AttentionShape shape{.heads = options.heads, .width = query.size(1) / options.heads, .longest = longest};
  shape.scale = options.scale > 0 ? options.scale : 1 / std::sqrt(static_cast<double>(shape.width));
  if (options.dropout > 0) {
    shape.key = next_random_key(query.device());
    shape.threshold = static_cast<uint32_t>(options.dropout * 0x1p32);
    shape.kept = 1 / (1 - options.dropout);
  }
  return shape;
}

/// `tensor` with its rows' elements next to each other.
Tensor with_dense_rows(const Tensor& tensor) {
  const Tensor own = tensor.detach();
  return own.size(1) <= 1 || own.stride(1) == 1 ? own : own.contiguous();
}

/// The gradients of query, key and value.
Tensors gradients_of(const Tensor& upstream, const Saved& saved, const AttentionShape& shape) {
  const Operation operation{"attention_gradient"};
  const Tensor query = with_dense_rows(saved[0]), key = with_dense_rows(saved[1]), value = with_dense_rows(saved[2]);
  const Tensor starts = saved[3], result = saved[4].detach(), log_sums = saved[5];
  Tensors gradients(3);
  for (Tensor& gradient : gradients) gradient = Tensor::empty(query.shape(), query.options());
  const Tensor dense = upstream.detach().contiguous();
  if (query.size(0))
    on<cpu::attention_gradient, cuda::attention_gradient>(
        query.device(), AttentionOperands{query, key, value, starts, result, log_sums, shape},
        AttentionGradients{dense, gradients[0], gradients[1], gradients[2]});
  return record_all("AttentionGradientBackward0", gradients, {upstream, saved[0], saved[1], saved[2]}, {},
                    [](const Tensors&, const Saved&) -> Tensors {
                      require(false, name, "has no second derivative; build it from matmul and softmax to have one");
                      return {};
                    });
}

}  // namespace

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& offsets, int64_t longest,
                 const AttentionOptions& options) {
  const Operation operation{name};
  if (current_precision() == Precision::bf16) {
    const auto rounded = [](const Tensor& x) { return x.dtype() == f32 ? x.to(bf16) : x; };
    if (query.dtype() == f32 || key.dtype() == f32 || value.dtype() == f32)
      return attention(rounded(query), rounded(key), rounded(value), offsets, longest, options);
  }
  check(query, key, value, offsets, longest, options);
  const AttentionShape shape = shape_of(query, longest, options);
  const int64_t tokens = query.size(0);
  const Tensor starts = Tensor::empty(offsets.shape(), {i64, offsets.device()});
  on<cpu::attention_starts, cuda::attention_starts>(query.device(), offsets.contiguous(), tokens, longest, starts);
  const Tensor own_query = with_dense_rows(query), own_key = with_dense_rows(key), own_value = with_dense_rows(value);
  const Tensor result = Tensor::empty(query.shape(), query.options());
  const Tensor log_sums = Tensor::empty({tokens, options.heads}, {query.dtype() == f64 ? f64 : f32, query.device()});
  if (tokens)
    on<cpu::attention, cuda::attention>(
        query.device(), AttentionOperands{own_query, own_key, own_value, starts, result, log_sums, shape});
  return record("ScaledDotProductFlashAttentionBackward0", result, {query, key, value},
                saved(query, key, value, starts, result, log_sums),
                [shape](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return gradients_of(gradients[0], saved, shape);
                });
}

}  // namespace percale
