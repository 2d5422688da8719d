// The rows of a matrix that are nearest to each query, exactly.
#pragma once

#include <cstdint>
#include <utility>

#include "../../core/tensor.h"

namespace percale {

/// How near a row is to a query: larger is nearer.
enum class Similarity : uint8_t {
  cosine,     ///< q.r / (|q| |r|), and 0 where a norm is 0
  dot,        ///< q.r
  euclidean,  ///< minus the distance: -|q - r|
};

/// For each query the `k` rows most similar to it, the most similar first and the lower index first among equals, by
/// looking at every row. A block of similarities is all that is ever kept, never the whole matrix of them.
///
/// The answer to a query does not depend on the other queries, on threads or on how the work is cut: not in a byte. A
/// similarity that is NaN counts as -infinity. Distances are ranked by q.r - |r|^2 / 2 and then, for the k that were
/// found, computed from the differences. There is no gradient.
/// @param queries [count, width] of f32, f64, f16 or bf16 (computed in f32).
/// @param rows [n, width] of the same dtype.
/// @param k 1 to n.
/// Returns similarity [count, k] of that dtype and index [count, k] of i64.
/// Errors: shapes that do not fit, dtypes that differ or are not floating, a k that is not there.
std::pair<Tensor, Tensor> nearest_neighbours(const Tensor& queries, const Tensor& rows, int64_t k,
                                             Similarity similarity = Similarity::cosine);

}  // namespace percale
