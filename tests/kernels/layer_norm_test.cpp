// Layer norms: accuracy where mean and deviation lie far apart, dtypes, and rows that do not see each other.
#include "../../kernels/layer_norm/layer_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/autograd.h"
#include "../../core/random.h"
#include "../../kernels/batch_norm/batch_norm.h"
#include "../../kernels/bias_gelu/bias_gelu.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/embedding_norm/embedding_norm.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/random/random.h"
#include "../../kernels/reduction/reduction.h"
#include "../testing/check.h"
#include "../testing/instruction_set.h"

namespace percale {
namespace {

Tensor normal(const Shape& shape, uint64_t seed = 3) {
  manual_seed(seed);
  return randn(shape);
}

TEST(LayerNorm, KeepsItsPrecisionWhereTheMeanIsFarLarger) {
  // f32 holds 1000 + x to 3e-5: what the rounding of the inputs leaves is known, so f64 gets the same inputs.
  const Tensor x = normal({17, 768}) * 1.0 + 1000.0, weight = normal({768}, 4), bias = normal({768}, 5);
  const Tensor exact = layer_norm(x.to(f64), weight.to(f64), bias.to(f64));
  EXPECT_LE(testing::relative_difference(layer_norm(x, weight, bias), exact.to(f32)), 1e-6);
}

TEST(LayerNorm, ARowThatDoesNotVaryGivesTheBias) {
  for (const int64_t width : {1, 3, 64, 100, 768, 5000}) {
    const Tensor bias = normal({width});
    const Tensor y = layer_norm(full({2, width}, 0.1), ones({width}), bias, 1e-12);
    EXPECT_TRUE(testing::same_bytes(y, bias.expand({2, width}))) << width;
  }
}

TEST(LayerNorm, ARowDoesNotSeeTheOthers) {
  const Tensor weight = normal({100}, 4).requires_grad_(), bias = normal({100}, 5);
  const Tensor x = normal({257, 100}).requires_grad_(), residual = normal({257, 100}, 6);
  const Tensor all = add_layer_norm(x, residual, weight, bias);
  all.backward(all.detach());
  for (const int64_t row : {0, 3, 255, 256}) {
    const Tensor alone = x.detach().slice(0, row, row + 1).clone().requires_grad_();
    const Tensor y = add_layer_norm(alone, residual.slice(0, row, row + 1), weight, bias);
    EXPECT_TRUE(testing::same_bytes(y, all.slice(0, row, row + 1)));
    y.backward(y.detach());
    EXPECT_TRUE(testing::same_bytes(alone.grad(), x.grad().slice(0, row, row + 1)));
  }
}

TEST(LayerNorm, ADtypeIsWhatTheOperandsPromoteTo) {
  const DType dtypes[] = {f32, f64, f16, bf16};
  for (const DType input : dtypes)
    for (const DType residual : dtypes)
      for (const DType weight : dtypes) {
        SCOPED_TRACE(text(input) + " " + text(residual) + " " + text(weight));
        const Tensor x = normal({5, 24}).to(input).detach().requires_grad_();
        const Tensor more = normal({5, 24}, 6).to(residual).detach().requires_grad_();
        const Tensor w = normal({24}, 4).to(weight).detach().requires_grad_(),
                     b = normal({24}, 5).to(weight).detach().requires_grad_();
        const Tensor y = add_layer_norm(x, more, w, b);
        EXPECT_EQ(y.dtype(), promote(promote(input, residual), weight));
        y.backward(normal({5, 24}, 7).to(y.dtype()));
        Tensors wide;
        for (const Tensor* t : {&x, &more, &w, &b}) wide.push_back(t->detach().to(f64).requires_grad_());
        const Tensor exact = add_layer_norm(wide[0], wide[1], wide[2], wide[3]);
        exact.backward(normal({5, 24}, 7).to(y.dtype()).to(f64));
        const auto tolerance = [](DType dtype) {
          return dtype == f64 ? 1e-12 : dtype == f32 ? 2e-6 : dtype == f16 ? 1e-3 : 8e-3;
        };
        EXPECT_LE(testing::relative_difference(y.to(f64), exact), tolerance(y.dtype()));
        size_t i = 0;
        for (const Tensor* t : {&x, &more, &w, &b}) {
          EXPECT_EQ(t->grad().dtype(), t->dtype()) << i;
          EXPECT_LE(testing::relative_difference(t->grad().to(f64), wide[i].grad()), tolerance(t->dtype()) + 2e-6) << i;
          ++i;
        }
      }
}

TEST(LayerNorm, TheBytesAreThoseOfAnyProcessor) {
  const Tensor x = normal({37, 331}), residual = normal({37, 331}, 6).to(bf16), weight = normal({331}, 4),
               bias = normal({331}, 5);
  const Tensor table = normal({9, 331}, 7), index = tensor({0, 8, 3, 3, 1});
  auto results = [&]() -> Tensors {
    Tensors leaves;
    for (const Tensor* t : {&x, &residual, &weight, &bias, &table})
      leaves.push_back(t->detach().clone().requires_grad_());
    const Tensors outputs{
        add_layer_norm(leaves[0], leaves[1], leaves[2], leaves[3]), bias_gelu(leaves[0], leaves[3]),
        layer_norm(x.to(f64), {}, {}),
        embedding_layer_norm(leaves[4], leaves[4], leaves[4], index, index, index, leaves[2], leaves[3]),
        batch_norm(leaves[0], {}, {}, leaves[2], leaves[3], {.training = true})};
    Tensors found = outputs;
    for (const Tensor& output : outputs)
      if (output.requires_grad()) output.backward(output.detach());
    for (const Tensor& leaf : leaves) found.push_back(leaf.grad());
    return found;
  };
  testing::expect_same_bytes_on_any_processor(results);
}

TEST(LayerNorm, WhatIsNotWantedIsNotComputed) {
  const Tensor x = normal({5, 24}), w = normal({24}, 4).requires_grad_(), b = normal({24}, 5);
  layer_norm(x, w, b).backward(ones({5, 24}));
  EXPECT_TRUE(w.grad().defined());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(b.grad().defined());
}

TEST(LayerNorm, NotANumberStaysInItsRow) {
  Tensor x = normal({3, 10});
  x.select(0, 1).slice(0, 4, 5).fill_(std::nan(""));
  const Tensor y = layer_norm(x, ones({10}), {});
  EXPECT_TRUE(std::isfinite(sum(y[0]).item<double>()));
  EXPECT_TRUE(std::isnan(sum(y[1]).item<double>()));
  EXPECT_TRUE(std::isfinite(sum(y[2]).item<double>()));
}

}  // namespace
}  // namespace percale
