// A table of vectors that are trained, read by the bag.
#pragma once

#include "../../kernels/embedding_bag/embedding_bag.h"
#include "../module.h"

namespace percale::nn {

/// Bags of whole numbers to one row each: PyTorch's nn.EmbeddingBag. Starts as Embedding does.
class EmbeddingBag : public ModuleOf<EmbeddingBag> {
 public:
  /// `options` without weights: those come with each call.
  EmbeddingBag(int64_t rows, int64_t width, const EmbeddingBagOptions& options = {});
  /// As percale::embedding_bag.
  Tensor forward(const Tensor& index, const Tensor& offsets = {}, const Tensor& per_sample_weights = {}) const;

  Parameter weight;

 private:
  EmbeddingBagOptions options_;
};

}  // namespace percale::nn
