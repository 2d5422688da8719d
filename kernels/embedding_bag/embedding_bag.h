// Sums, means or maxima of bags of a table's rows, without the rows ever standing side by side.
#pragma once

#include <optional>

#include "../../core/tensor.h"

namespace percale {

enum class BagMode { sum, mean, max };

struct EmbeddingBagOptions {
  BagMode mode = BagMode::mean;
  Tensor per_sample_weights = {};           ///< a factor for each entry, of the table's dtype; with `sum` alone
  std::optional<int64_t> padding_idx = {};  ///< entries of this row are left out, of the mean's divisor too
  bool include_last_offset = false;         ///< the last offset is the number of entries, and begins no bag
  bool sparse = false;                      ///< as EmbeddingOptions: sum and mean alone
};

/// One row a bag: PyTorch's `F.embedding_bag`. Bag b holds the entries offsets[b] to offsets[b + 1] - 1 of the index
/// (the last one all that are left), or row b of an index [bags, length] without offsets. An empty bag gives zeros.
///
/// Entries are added in their order, and gradients as embedding's: the same bytes each run. With `max` the first of
/// equal entries gains the gradient.
/// @param table [rows, width] of f32 or f64.
/// @param index i64 or i32, [count] with offsets, or [bags, length].
/// @param offsets i64 or i32, [bags]: ascending from 0. Undefined with an index of two dimensions.
/// Returns [bags, width].
/// Errors: an entry that is not a row, with its position; offsets that do not begin with 0, descend or pass the end,
/// with their position (both on CUDA at the next synchronising call); weights of another shape, or without `sum`.
Tensor embedding_bag(const Tensor& table, const Tensor& index, const Tensor& offsets = {},
                     const EmbeddingBagOptions& options = {});

}  // namespace percale
