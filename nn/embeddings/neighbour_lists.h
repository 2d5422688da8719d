// The nearest neighbours of some rows among all rows, without themselves.
#pragma once

#include "../../core/tensor.h"

namespace percale::embeddings {

/// At most `most` of the numbers 0 to rows - 1, evenly spread: i64 [count].
Tensor spread_rows(int64_t rows, int64_t most);

/// For each row number in `queries` the `k` rows most alike by cosine, the most alike first, itself left out: i64 [Q,
/// k]. `vectors` is f32 [rows, width] with more than k rows.
Tensor neighbours_of(const Tensor& vectors, const Tensor& queries, int64_t k);

}  // namespace percale::embeddings
