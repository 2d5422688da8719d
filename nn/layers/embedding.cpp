#include "embedding.h"

#include "../../core/autograd.h"
#include "../init.h"

namespace percale::nn {

Embedding::Embedding(int64_t rows, int64_t width, const EmbeddingOptions& options) : options_(options) {
  require(rows >= 0 && width >= 0, "Embedding", "rows and width cannot be negative, got {} and {}", rows, width);
  weight = add("weight", Tensor::empty({rows, width}));
  init::normal_(weight);
  std::string words = std::to_string(rows) + ", " + std::to_string(width);
  if (options.padding_idx) {
    const int64_t padding = *options.padding_idx;
    require(padding >= -rows && padding < rows, "Embedding", "padding_idx {} is out of range for a table of {} rows",
            padding, rows);
    options_.padding_idx = padding < 0 ? padding + rows : padding;
    init::zeros_(weight.detach()[*options_.padding_idx]);
    words += ", padding_idx=" + std::to_string(*options_.padding_idx);
  }
  if (options.max_norm) words += ", max_norm=" + text(*options.max_norm);
  if (options.norm_type != 2) words += ", norm_type=" + text(options.norm_type);
  if (options.sparse) words += ", sparse=True";
  describe(words);
}

Embedding Embedding::from_pretrained(const Tensor& table, bool freeze, const EmbeddingOptions& options) {
  require(table.rank() == 2, "Embedding", "a table must be [rows, width], got {}", table.shape());
  Embedding layer(table.size(0), table.size(1), options);
  const NoGradGuard no_grad;
  layer.weight.copy_(table);
  layer.weight.requires_grad_(!freeze);
  return layer;
}

Tensor Embedding::forward(const Tensor& index) const { return embedding(weight, index, options_); }

}  // namespace percale::nn
