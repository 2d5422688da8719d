// Whether embeddings of one class lie together: how often the nearest other one has the same label.
#pragma once

#include "../../core/tensor.h"

namespace percale::train {

/// For each row of `queries` [N, width], whether the row of `embeddings` [N, width] that is nearest to it (Euclidean),
/// and is not the one of the same number, has its label: the share of those that do. Computed in f64 by blocks of rows,
/// so that nothing grows with N^2; any device. With `queries` the embeddings themselves it is leave-one-out accuracy.
/// @param labels i64 [N]. Errors: shapes that do not match; fewer than two rows.
double nearest_label_accuracy(const Tensor& queries, const Tensor& embeddings, const Tensor& labels);

}  // namespace percale::train
