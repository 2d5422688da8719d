// The loss of a classifier: log-softmax and negative log-likelihood in one pass.
#pragma once

#include "../../core/tensor.h"
#include "../common/reduction_mode.h"

namespace percale {

struct CrossEntropyOptions {
  Tensor weight = {};           ///< [C]: what a class counts; undefined: 1 each
  int64_t ignore_index = -100;  ///< positions of this class contribute neither loss nor gradient
  double label_smoothing = 0;   ///< this much of the probability aimed at is spread over all classes
  Reduction reduction = Reduction::mean;
};

/// -log(softmax(logits)) at the target's class, for `logits` [N, C], [N, C, d1, ...] or [C] and `target` (i64 or i32)
/// without the dimension of the classes.
///
/// With weights w, smoothing s and class t of a position: (1 - s) w[t] (-log p[t]) + s / C sum_c w[c] (-log p[c]). The
/// mean divides by the sum of w[t] over the positions that are not ignored: NaN if all are. f32, f64, and f16 and bf16
/// computed in f32; the gradient's memory is of the size of the logits, and nothing else of that size is kept. Errors:
/// shapes or dtypes that do not fit; a class that is out of range, named with its position.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options = {});

}  // namespace percale
