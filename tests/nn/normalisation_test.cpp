// The normalising layers: what they save, what training leaves behind, and what evaluation goes by.
#include "../../nn/layers/normalisation.h"

#include <gtest/gtest.h>

#include "../../core/autograd.h"
#include "../../core/random.h"
#include "../../kernels/batch_norm/batch_norm.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/layer_norm/layer_norm.h"
#include "../../kernels/random/random.h"
#include "../../kernels/reduction/reduction.h"
#include "../testing/check.h"
#include "../testing/message_of.h"

namespace percale::nn {
namespace {

using testing::same_bytes;

Tensor normal(const Shape& shape, uint64_t seed = 3) {
  manual_seed(seed);
  return randn(shape);
}

std::vector<std::string> names_of(const Module& module) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : module.state_dict()) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

TEST(NormalisingLayers, SaveWhatPyTorchsSave) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_of(LayerNorm(4)), (Names{"bias", "weight"}));
  EXPECT_EQ(names_of(LayerNorm(4, {.bias = false})), (Names{"weight"}));
  EXPECT_EQ(names_of(BatchNorm1d(4)), (Names{"bias", "num_batches_tracked", "running_mean", "running_var", "weight"}));
  EXPECT_EQ(names_of(BatchNorm2d(4, {.affine = false})), (Names{"num_batches_tracked", "running_mean", "running_var"}));
  EXPECT_EQ(names_of(BatchNorm2d(4, {.track_running_stats = false})), (Names{"bias", "weight"}));
  EXPECT_EQ(BatchNorm1d(4).parameters().size(), 2u);
}

TEST(NormalisingLayers, TrainingMovesTheRunningStatistics) {
  const BatchNorm2d layer(3, {.momentum = 0.25});
  const Tensor x = normal({4, 3, 5, 6}) * 3.0 + 2.0;
  const Tensor mean = percale::mean(x, {0, 2, 3}), centred = x - mean.reshape({3, 1, 1});
  const Tensor variance = percale::sum(centred * centred, {0, 2, 3}) / 119.0;
  layer(x);
  EXPECT_LE(testing::relative_difference(layer.running_mean, mean * 0.25), 1e-6);
  EXPECT_LE(testing::relative_difference(layer.running_var, variance * 0.25 + 0.75), 1e-6);
  layer(x);
  EXPECT_EQ(layer.num_batches_tracked.item<int64_t>(), 2);
  EXPECT_EQ(layer.num_batches_tracked.dtype(), i64);
}

TEST(NormalisingLayers, EvaluationGoesByWhatWasSeen) {
  const BatchNorm1d layer(3);
  const Tensor x = normal({50, 3}) * 3.0 + 2.0;
  for (int step = 0; step < 200; ++step) layer(x);
  const Tensor trained = layer(x);
  layer.eval();
  const Tensor before = layer.running_mean.clone(), all = layer(x);
  EXPECT_LE(testing::relative_difference(all, trained), 0.02);  // the unbiased variance is 50 / 49 of the batch's
  EXPECT_TRUE(same_bytes(layer(x.slice(0, 7, 8)), all.slice(0, 7, 8)));  // a row by itself
  EXPECT_TRUE(same_bytes(layer.running_mean, before));
  EXPECT_EQ(layer.num_batches_tracked.item<int64_t>(), 201);
}

TEST(NormalisingLayers, WithoutMomentumStatisticsAreTheMeanOverAllBatches) {
  const BatchNorm1d layer(3, {.momentum = std::nullopt});
  EXPECT_EQ(to_text(layer),
            "BatchNorm1d(3, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True)");
  Tensor mean = zeros({3}), variance = zeros({3});
  for (uint64_t step = 0; step < 4; ++step) {
    const Tensor x = normal({20, 3}, step) * (1.0 + static_cast<double>(step)) + 2.0;
    layer(x);
    const Tensor own = percale::mean(x, {0}), centred = x - own;
    mean = mean + own;
    variance = variance + percale::sum(centred * centred, {0}) / 19.0;
  }
  EXPECT_LE(testing::relative_difference(layer.running_mean, mean / 4.0), 1e-6);
  EXPECT_LE(testing::relative_difference(layer.running_var, variance / 4.0), 1e-6);
  layer.eval();
  const Tensor before = layer.running_var.clone();
  layer(normal({20, 3}));
  EXPECT_TRUE(same_bytes(layer.running_var, before));
}

TEST(NormalisingLayers, WithoutStatisticsEvaluationGoesByTheBatch) {
  const BatchNorm1d layer(3, {.track_running_stats = false});
  const Tensor x = normal({9, 3}), trained = layer(x);
  layer.eval();
  EXPECT_TRUE(same_bytes(layer(x), trained));
}

TEST(NormalisingLayers, AStateComesBack) {
  const BatchNorm1d layer(3);
  layer(normal({9, 3}));
  const BatchNorm1d other(3);
  other.load_state_dict(layer.state_dict());
  EXPECT_TRUE(same_bytes(other.running_var, layer.running_var));
  EXPECT_EQ(other.num_batches_tracked.item<int64_t>(), 1);
  layer.eval(), other.eval();
  EXPECT_TRUE(same_bytes(other(normal({2, 3}, 4)), layer(normal({2, 3}, 4))));
}

TEST(NormalisingLayers, TakeSequences) {
  const BatchNorm1d layer(3);
  const Tensor x = normal({4, 3, 5});
  const BatchNorm1d rows(3);
  const Tensor flat = rows(x.transpose(1, 2).reshape({20, 3}));
  EXPECT_TRUE(same_bytes(layer(x), flat.reshape({4, 5, 3}).transpose(1, 2)));
}

TEST(NormalisingLayers, OfSumIsTheNormOfTheSum) {
  const LayerNorm layer(24);
  const Tensor x = normal({5, 24}), residual = normal({5, 24}, 4);
  const Tensor fused = layer.of_sum(x, residual);
  EXPECT_TRUE(same_bytes(fused, layer(x + residual)));
  int calls = 0;
  HookHandle handle = layer.register_forward_hook([&](const Module&, const Tensors&, const Tensors&) { ++calls; });
  EXPECT_TRUE(same_bytes(layer.of_sum(x, residual), fused));
  EXPECT_EQ(calls, 1);
}

TEST(NormalisingLayers, RefuseWhatDoesNotFit) {
  EXPECT_EQ(testing::message_of([] {
              BatchNorm1d(3)(zeros({2, 4}));
            }),
            "[BatchNorm1d] x must have 3 channels, got [2, 4]");
  EXPECT_EQ(testing::message_of([] {
              BatchNorm1d(3)(zeros({2, 3, 4, 4}));
            }),
            "[BatchNorm1d] x must be [N, C] or [N, C, L], got [2, 3, 4, 4]");
  EXPECT_EQ(testing::message_of([] {
              BatchNorm2d(3)(zeros({2, 3}));
            }),
            "[BatchNorm2d] x must be [N, C, H, W], got [2, 3]");
  EXPECT_EQ(testing::message_of([] { BatchNorm2d(0); }),
            "[BatchNorm2d] the number of features must be positive, got 0");
  EXPECT_EQ(testing::message_of([] { LayerNorm(0); }), "[LayerNorm] the width must be positive, got 0");
}

}  // namespace
}  // namespace percale::nn
