// What the two twins of attention implement. Shapes, dtypes and devices are checked before; there is a token at least.
#pragma once

#include "../../core/philox.h"
#include "../../core/tensor.h"

namespace percale {

inline constexpr int64_t most_attention_width = 128;
/// Tokens that a sequence may have with dropout.
inline constexpr int64_t most_masked_tokens = int64_t{1} << 24;

struct AttentionShape {
  int64_t heads = 1, width = 0, longest = 0;
  double scale = 1;
  RandomKey key = {};      ///< of dropout's mask
  uint32_t threshold = 0;  ///< weights whose bits are below it are dropped; 0: none
  double kept = 1;         ///< the factor of the others
};

/// Where the bits of a weight are: of the query's number among all tokens and the key's within its sequence.
PERCALE_HOST_DEVICE inline int64_t masked_weight(int64_t query, int64_t heads, int64_t head, int64_t key) {
  return (query * heads + head) * most_masked_tokens + key;
}

/// query, key, value and result [tokens, heads * width], the columns neighbours and the result dense; starts i64
/// [sequences + 1]; log_sums [tokens, heads], f64 for f64 and f32 else: the logarithm of each softmax's sum.
struct AttentionOperands {
  const Tensor &query, &key, &value, &starts;
  const Tensor &result, &log_sums;
  const AttentionShape& shape;
};

/// From `upstream`, dense, the gradients of query, key and value, dense.
struct AttentionGradients {
  const Tensor& upstream;
  const Tensor &query, &key, &value;
};

namespace cpu {
/// offsets into i64, checked; on CUDA bounded where they are wrong.
void attention_starts(const Tensor& offsets, int64_t tokens, int64_t longest, const Tensor& starts);
void attention(const AttentionOperands& operands);
void attention_gradient(const AttentionOperands& operands, const AttentionGradients& gradients);
}  // namespace cpu

namespace cuda {
void attention_starts(const Tensor& offsets, int64_t tokens, int64_t longest, const Tensor& starts);
void attention(const AttentionOperands& operands);
void attention_gradient(const AttentionOperands& operands, const AttentionGradients& gradients);
}  // namespace cuda

}  // namespace percale
