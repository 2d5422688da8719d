// A table of vectors that are trained: one for each word, category or other whole number.
#pragma once

#include "../../kernels/embedding/embedding.h"
#include "../module.h"

namespace percale::nn {

/// index [...] of i64 or i32 to rows [..., width] of a table [rows, width]: PyTorch's nn.Embedding.
///
/// Starts as standard normal numbers, the padding row as zeros. With `max_norm` the table is written in each forward.
class Embedding : public ModuleOf<Embedding> {
 public:
  Embedding(int64_t rows, int64_t width, const EmbeddingOptions& options = {});
  /// A layer of the given table [rows, width], which is copied. `freeze`: not to be trained.
  static Embedding from_pretrained(const Tensor& table, bool freeze = true, const EmbeddingOptions& options = {});
  Tensor forward(const Tensor& index) const;

  Parameter weight;

 private:
  EmbeddingOptions options_;
};

}  // namespace percale::nn
