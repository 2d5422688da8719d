// How good the answers to a yes-or-no question are: accuracy, precision, recall, F1, and the ROC curve with its area.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "../../core/tensor.h"

namespace percale::train {

/// A number that has nothing to be measured on (no text is a yes, or none is called one) is NaN.
struct BinaryScores {
  int64_t true_yes = 0, false_yes = 0, true_no = 0, false_no = 0;  ///< false_yes: called yes, is no
  /// The share of pairs of a yes and a no in which the yes has the larger probability, a tie counted half: the area
  /// under the ROC curve (Hanley and McNeil, 1982).
  double auc = 0;
  /// The ROC curve from (0, 0) to (1, 1): the share of noes and of yeses whose probability is at least a threshold, for
  /// each threshold at which the curve bends.
  std::vector<std::pair<double, double>> roc;

  int64_t count() const { return true_yes + false_yes + true_no + false_no; }
  double accuracy() const;
  double precision() const;  ///< of those called yes, the share that is
  double recall() const;     ///< of those that are yes, the share called so
  double f1() const;         ///< 2 precision recall / (precision + recall) (van Rijsbergen, 1979)
};

/// A probability above `threshold` is called yes.
/// @param probabilities f32 or f64 [N] or [N, 1]; @param labels i64 [N], 0 or 1. Any device.
/// Errors: shapes that do not fit, a label that is neither, a probability that is NaN.
BinaryScores binary_scores(const Tensor& probabilities, const Tensor& labels, double threshold = 0.5);

}  // namespace percale::train
