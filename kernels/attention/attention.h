// Scaled dot-product self-attention over sequences packed behind each other, without padding: forward and backward
// fused.
#pragma once

#include "../../core/tensor.h"

namespace percale {

struct AttentionOptions {
  int64_t heads = 1;
  double scale = 0;    ///< what products are multiplied with before the softmax; 0: 1 / sqrt(width of a head)
  double dropout = 0;  ///< probability that an attention weight is dropped (the others grow to make up for it)
};

/// softmax(scale Q K^T) V for each head of each sequence (Vaswani and others, "Attention Is All You Need", 2017,
/// equation 1): each token attends to all the tokens of its own sequence.
///
/// `query`, `key`, `value`: [tokens, heads * width], head h in columns h * width and on, width 1 to 128; f32, f64 or
/// bf16 (then exponentials and sums are in f32). Rows may be far apart: slices of a wider matrix are read as they lie.
/// `offsets`: i64 or i32 [sequences + 1]: sequence s holds tokens offsets[s] to offsets[s + 1] - 1; from 0 to `tokens`,
/// not falling; empty sequences are fine. `longest`: no sequence has more tokens. The result is [tokens, heads *
/// width].
///
/// The weights are never stored: backward works them out again from the logarithm of each softmax's sum (Dao,
/// "FlashAttention-2", 2023), and dropout's mask from the random state's key, so that `backward` belongs to the same
/// captured step. Under a PrecisionGuard of bf16, f32 operands are rounded and so is the result.
///
/// A token's bytes do not depend on the sequences beside its own (dropout's mask does), nor on the number of threads;
/// nor do its gradients. Errors: shapes, dtypes, devices, options; offsets out of place and sequences longer than
/// `longest`, with position and value. There is no second derivative.
Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& offsets, int64_t longest,
                 const AttentionOptions& options = {});

}  // namespace percale
