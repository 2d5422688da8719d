// The next batch of an epoch: which rows, in an order that lies on the device, so that a captured step finds its own.
#pragma once

#include "../../core/tensor.h"

namespace percale {

struct NextRows {
  Tensor rows;    ///< i64 [batch]
  Tensor labels;  ///< i64 [batch]: those of the rows
};

/// rows = order[cursor : cursor + batch], labels = all_labels[rows], and the cursor moves on by `batch`.
/// @param order i64 [count]: an epoch's order of rows.
/// @param all_labels i64 [images], a label a row.
/// @param cursor i64 [1], on the same device as the others: written.
/// Errors: the cursor would pass the end of the order, or a row has no label; then the cursor stays (on CUDA the
/// exception comes at the next synchronising call).
NextRows next_rows(const Tensor& order, const Tensor& all_labels, const Tensor& cursor, int64_t batch);

}  // namespace percale
