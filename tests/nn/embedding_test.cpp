// The embedding layer: how it starts, prints, is frozen and trained.
#include "../../nn/layers/embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "../../core/autograd.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/random/random.h"
#include "../../kernels/reduction/reduction.h"
#include "../../nn/layers/embedding_bag.h"
#include "../../nn/train/nearest_labels.h"
#include "../testing/check.h"

namespace percale::nn {
namespace {

std::string printed(const Module& module) {
  std::ostringstream out;
  out << module;
  return out.str();
}

TEST(EmbeddingLayer, PrintsAsPyTorch) {
  EXPECT_EQ(printed(Embedding(6, 4)), "Embedding(6, 4)");
  EXPECT_EQ(printed(Embedding(6, 4, {.padding_idx = -1, .max_norm = 1.5, .norm_type = 1, .sparse = true})),
            "Embedding(6, 4, padding_idx=5, max_norm=1.5, norm_type=1, sparse=True)");
}

TEST(EmbeddingLayer, OfBagsPrintsAsPyTorchAndWeighs) {
  const EmbeddingBag layer(6, 4, {.mode = BagMode::sum, .padding_idx = -1, .sparse = true});
  EXPECT_EQ(printed(layer), "EmbeddingBag(6, 4, mode='sum', padding_idx=5)");
  EXPECT_EQ(printed(EmbeddingBag(6, 4)), "EmbeddingBag(6, 4, mode='mean')");
  const NoGradGuard no_grad;
  layer.weight.fill_(1);
  const Tensor rows = layer(tensor({0, 5, 1}), tensor({0}), tensor({2.f, 8.f, 0.5f}));
  EXPECT_TRUE(testing::same_bytes(rows, full({1, 4}, 2.5)));
}

TEST(NearestLabels, LeavesEachRowItselfOut) {
  const Tensor codes = tensor({{0.f, 0.f}, {0.f, 1.f}, {5.f, 0.f}, {5.f, 1.f}, {5.f, 0.f}});
  EXPECT_EQ(train::nearest_label_accuracy(codes, codes, tensor({0, 0, 1, 1, 1})), 1);
  EXPECT_EQ(train::nearest_label_accuracy(codes, codes, tensor({0, 1, 1, 1, 1})), 0.6);
  EXPECT_THROW(train::nearest_label_accuracy(codes, codes, tensor({0})), Error);
}

TEST(EmbeddingLayer, StartsStandardNormalAndItsPaddingRowZero) {
  manual_seed(3);
  const Embedding layer(1000, 64, {.padding_idx = 7});
  const Tensor weight = layer.weight.detach();
  EXPECT_NEAR(mean(weight).item<float>(), 0, 0.02);
  EXPECT_NEAR(std::sqrt(mean(weight * weight).item<float>()), 1, 0.02);
  EXPECT_TRUE(testing::same_bytes(weight[7], zeros({64})));
  sum(layer(tensor({7, 1}))).backward();
  EXPECT_TRUE(testing::same_bytes(layer.weight.grad()[7], zeros({64})));
  EXPECT_TRUE(testing::same_bytes(layer.weight.grad()[1], ones({64})));
}

TEST(EmbeddingLayer, FromPretrainedCopiesAndFreezes) {
  const Tensor table = ones({3, 2});
  const Embedding frozen = Embedding::from_pretrained(table), trained = Embedding::from_pretrained(table, false);
  table.fill_(5);
  EXPECT_TRUE(testing::same_bytes(frozen(tensor({2})), ones({1, 2})));
  EXPECT_FALSE(frozen.weight.requires_grad());
  EXPECT_TRUE(trained.weight.requires_grad());
  EXPECT_EQ(trained(tensor({0})).grad_fn(), "EmbeddingBackward0");
}

TEST(EmbeddingLayer, RefusesNegativeSizesAndPaddingOutside) {
  EXPECT_THROW(Embedding(-1, 4), Error);
  EXPECT_THROW(Embedding(3, 4, {.padding_idx = 3}), Error);
  EXPECT_THROW(Embedding::from_pretrained(ones({3})), Error);
}

}  // namespace
}  // namespace percale::nn
