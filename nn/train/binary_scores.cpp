#include "binary_scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace percale::train {
namespace {

double share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : NAN;
}

/// The curve and its area, from the surest yes downwards; equal probabilities make one straight piece.
void add_curve(BinaryScores& scores, const double* chances, const int64_t* truth, int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) { return chances[a] > chances[b]; });
  const int64_t all_yes = scores.true_yes + scores.false_no, all_no = count - all_yes;
  int64_t yes = 0, no = 0, last_yes = 0, last_no = 0, twice_area = 0;
  scores.roc = {{0, 0}};
  const auto slope_goes_on = [&](int64_t more_yes, int64_t more_no) {  // the last point lies on the line to this one
    return scores.roc.size() > 1 && (last_yes == 0 ? more_yes == 0 : last_no == 0 && more_no == 0);
  };
  for (size_t i = 0; i < rows.size();) {
    const double chance = chances[rows[i]];
    int64_t more_yes = 0, more_no = 0;
    for (; i < rows.size() && chances[rows[i]] == chance; ++i) ++(truth[rows[i]] ? more_yes : more_no);
    twice_area += more_no * (2 * yes + more_yes);
    yes += more_yes, no += more_no;
    if (slope_goes_on(more_yes, more_no)) scores.roc.pop_back();
    scores.roc.emplace_back(share(no, all_no), share(yes, all_yes));
    last_yes = more_yes, last_no = more_no;
  }
  scores.auc = all_yes > 0 && all_no > 0
                   ? static_cast<double>(twice_area) / (2 * static_cast<double>(all_yes) * static_cast<double>(all_no))
                   : NAN;
}

}  // namespace

double BinaryScores::accuracy() const { return share(true_yes + true_no, count()); }
double BinaryScores::precision() const { return share(true_yes, true_yes + false_yes); }
double BinaryScores::recall() const { return share(true_yes, true_yes + false_no); }
double BinaryScores::f1() const { return share(2 * true_yes, 2 * true_yes + false_yes + false_no); }

BinaryScores binary_scores(const Tensor& probabilities, const Tensor& labels, double threshold) {
  require(labels.rank() == 1 && labels.dtype() == i64, "binary_scores", "labels must be int64 [N], got {} {}",
          labels.dtype(), labels.shape());
  require(is_floating(probabilities.dtype()) && probabilities.numel() == labels.numel() &&
              probabilities.size(0) == labels.numel(),
          "binary_scores", "expected {} probabilities, got {} {}", labels.numel(), probabilities.dtype(),
          probabilities.shape());
  const Tensor chances = probabilities.detach().to(f64).to(cpu_device).reshape({-1}).contiguous();
  const Tensor truth = labels.to(cpu_device).contiguous();
  const double* chance = chances.data<double>();
  const int64_t* label = truth.data<int64_t>();
  BinaryScores scores;
  for (int64_t i = 0; i < labels.numel(); ++i) {
    require(label[i] == 0 || label[i] == 1, "binary_scores", "label {} is neither 0 nor 1 but {}", i, label[i]);
    require(!std::isnan(chance[i]), "binary_scores", "probability {} is NaN", i);
    const bool yes = chance[i] > threshold;
    ++(label[i] ? yes ? scores.true_yes : scores.false_no : yes ? scores.false_yes : scores.true_no);
  }
  add_curve(scores, chance, label, labels.numel());
  return scores;
}

}  // namespace percale::train
