#include "embedding_bag.h"

#include "../../kernels/embedding/embedding.h"
#include "../init.h"

namespace percale::nn {

EmbeddingBag::EmbeddingBag(int64_t rows, int64_t width, const EmbeddingBagOptions& options) : options_(options) {
  require(rows >= 0 && width >= 0, "EmbeddingBag", "rows and width cannot be negative, got {} and {}", rows, width);
  require(!options.per_sample_weights.defined(), "EmbeddingBag", "per_sample_weights come with each call");
  weight = add("weight", Tensor::empty({rows, width}));
  init::normal_(weight);
  const char* mode = options.mode == BagMode::sum ? "sum" : options.mode == BagMode::mean ? "mean" : "max";
  std::string words = std::to_string(rows) + ", " + std::to_string(width) + ", mode='" + mode + "'";
  const int64_t padding = padding_row("EmbeddingBag", weight, options.padding_idx);
  if (padding >= 0) {
    init::zeros_(weight.detach()[padding]);
    words += ", padding_idx=" + std::to_string(padding);
  }
  describe(words);
}

Tensor EmbeddingBag::forward(const Tensor& index, const Tensor& offsets, const Tensor& per_sample_weights) const {
  EmbeddingBagOptions options = options_;
  options.per_sample_weights = per_sample_weights;
  return embedding_bag(weight, index, offsets, options);
}

}  // namespace percale::nn
