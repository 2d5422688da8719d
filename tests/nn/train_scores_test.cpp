// Scores of yes-or-no answers against scikit-learn's numbers, and the weights of the best epoch.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>

namespace percale::train {
namespace {

using Points = std::vector<std::pair<double, double>>;

Tensor truth(const std::vector<int64_t>& labels) { return from_vector(labels, {std::ssize(labels)}); }

TEST(BinaryScores, AreScikitLearns) {
  // y = [1,0,1,1,0,0,1,0,1,0]; p = [.9,.8,.7,.6,.55,.4,.4,.3,.2,.1]
  // accuracy_score(y, p > .5) 0.6; precision 0.6; recall 0.6; f1 0.6; roc_auc_score 0.66; roc_curve(...,
  // drop_intermediate=True)
  const Tensor chances = tensor({.9, .8, .7, .6, .55, .4, .4, .3, .2, .1});
  const Tensor labels = truth({1, 0, 1, 1, 0, 0, 1, 0, 1, 0});
  const BinaryScores scores = binary_scores(chances, labels);
  EXPECT_EQ(scores.true_yes, 3);
  EXPECT_EQ(scores.false_yes, 2);
  EXPECT_EQ(scores.true_no, 3);
  EXPECT_EQ(scores.false_no, 2);
  EXPECT_DOUBLE_EQ(scores.accuracy(), 0.6);
  EXPECT_DOUBLE_EQ(scores.precision(), 0.6);
  EXPECT_DOUBLE_EQ(scores.recall(), 0.6);
  EXPECT_DOUBLE_EQ(scores.f1(), 0.6);
  EXPECT_DOUBLE_EQ(scores.auc, 0.66);
  EXPECT_EQ(scores.roc, (Points{{0, 0}, {0, .2}, {.2, .2}, {.2, .6}, {.4, .6}, {.6, .8}, {.8, .8}, {.8, 1}, {1, 1}}));
}

TEST(BinaryScores, TiesAreOneStraightPiece) {
  const Tensor labels = truth({1, 0, 1, 0});
  const BinaryScores all = binary_scores(full({4, 1}, 0.5), labels);
  EXPECT_DOUBLE_EQ(all.auc, 0.5);
  EXPECT_EQ(all.roc, (Points{{0, 0}, {1, 1}}));
  EXPECT_EQ(all.true_no + all.false_no, 4);  // 0.5 is not above the threshold
  const BinaryScores perfect = binary_scores(tensor({.9, .1, .8, .2}), labels);
  EXPECT_DOUBLE_EQ(perfect.auc, 1);
  EXPECT_EQ(perfect.roc, (Points{{0, 0}, {0, 1}, {1, 1}}));
}

TEST(BinaryScores, WhatCannotBeMeasuredIsNaN) {
  const BinaryScores scores = binary_scores(tensor({.9, .1}), truth({1, 1}));
  EXPECT_TRUE(std::isnan(scores.auc));
  EXPECT_DOUBLE_EQ(scores.recall(), 0.5);
  EXPECT_TRUE(std::isnan(binary_scores(tensor({.1}), truth({0})).f1()));
}

TEST(BinaryScores, RefusesWhatIsNoAnswer) {
  EXPECT_THROW(binary_scores(tensor({.9}), truth({2})), Error);
  EXPECT_THROW(binary_scores(tensor({.9, .1}), truth({1})), Error);
  EXPECT_THROW(binary_scores(full({1}, NAN), truth({1})), Error);
}

TEST(BestWeights, KeepsThoseOfTheLowestScore) {
  const nn::Linear model(1, 1);
  const auto set = [&](double value) {
    const NoGradGuard no_grad;
    model.weight.fill_(value);
  };
  BestWeights best;
  EXPECT_FALSE(best.see(NAN, model));
  EXPECT_TRUE(best.weights.empty());
  set(1);
  EXPECT_TRUE(best.see(0.5, model));
  set(2);
  EXPECT_FALSE(best.see(0.5, model));
  set(3);
  EXPECT_FALSE(best.see(0.6, model));
  EXPECT_EQ(best.since, 2);
  model.load_state_dict(best.weights);
  EXPECT_EQ(model.weight.item<float>(), 1);
  set(4);
  EXPECT_TRUE(best.see(0.4, model));
  EXPECT_EQ(best.since, 0);
}

TEST(Schedule, WarmsUpAndDecaysToNothing) {
  optim::SGD optimizer({tensor({1.f}).requires_grad_()}, {.lr = 2});
  optim::WarmupLinearLR schedule(optimizer, 4, 12);
  std::vector<double> rates;
  for (int step = 0; step < 14; ++step) schedule.set_epoch(step), rates.push_back(schedule.lr());
  EXPECT_EQ(rates, (std::vector<double>{.5, 1, 1.5, 2, 2, 1.75, 1.5, 1.25, 1, .75, .5, .25, 0, 0}));
  EXPECT_THROW(optim::WarmupLinearLR(optimizer, 5, 4), Error);
}

}  // namespace
}  // namespace percale::train
