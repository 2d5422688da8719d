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
