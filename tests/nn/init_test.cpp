// First values: their bounds, their spread, and that neither strides nor device change them.
#include "../../nn/init.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/random.h"
#include "../../kernels/fill/fill.h"
#include "../../nn/layers/conv2d.h"
#include "../../nn/layers/linear.h"
#include "../testing/check.h"

namespace percale::nn {
namespace {

struct Spread {
  double low = INFINITY, high = -INFINITY, mean = 0, deviation = 0;
};

Spread spread_of(const Tensor& tensor) {
  const Tensor values = tensor.detach().to(f64).contiguous();
  Spread spread;
  double squares = 0;
  for (const double value : values.span<double>()) {
    spread.low = std::min(spread.low, value);
    spread.high = std::max(spread.high, value);
    spread.mean += value / static_cast<double>(values.numel());
    squares += value * value / static_cast<double>(values.numel());
  }
  spread.deviation = std::sqrt(squares - spread.mean * spread.mean);
  return spread;
}

void expect_uniform(const Tensor& tensor, double bound) {
  const Spread spread = spread_of(tensor);
  EXPECT_GE(spread.low, -bound);
  EXPECT_LE(spread.high, bound);
  EXPECT_GT(spread.high - spread.low, 1.9 * bound);
  EXPECT_NEAR(spread.mean, 0, 0.05 * bound);
  EXPECT_NEAR(spread.deviation, bound / std::sqrt(3), 0.03 * bound);
}

void expect_normal(const Tensor& tensor, double deviation) {
  const Spread spread = spread_of(tensor);
  EXPECT_NEAR(spread.mean, 0, 0.05 * deviation);
  EXPECT_NEAR(spread.deviation, deviation, 0.05 * deviation);
}

TEST(Init, LayersStartAsPyTorchs) {
  manual_seed(3);
  const Linear linear(784, 500);
  expect_uniform(linear.weight, 1 / std::sqrt(784.0));
  expect_uniform(Linear(100, 5000).bias, 1 / std::sqrt(100.0));
  expect_uniform(Conv2d(32, 64, {3, 5}, {.groups = 4}).weight, 1 / std::sqrt(8 * 15.0));
}

TEST(Init, Formulas) {
  const Tensor weight = Tensor::empty_channels_last({100, 50, 3, 3});
  manual_seed(3);
  init::xavier_uniform_(weight, 2);
  expect_uniform(weight, 2 * std::sqrt(6.0 / (450 + 900)));
  init::xavier_normal_(weight);
  expect_normal(weight, std::sqrt(2.0 / (450 + 900)));
  init::kaiming_uniform_(weight, {.mode = init::FanMode::fan_out, .nonlinearity = init::Nonlinearity::relu});
  expect_uniform(weight, std::sqrt(6.0 / 900));
  init::kaiming_normal_(weight, {.a = 0.5});
  expect_normal(weight, std::sqrt(2 / 1.25 / 450));
  init::normal_(weight, 3, 0);
  EXPECT_EQ(spread_of(weight).low, 3);
  init::constant_(weight, 0.5);
  EXPECT_EQ(spread_of(weight).high, 0.5);
  EXPECT_NEAR(init::calculate_gain(init::Nonlinearity::tanh), 5.0 / 3, 1e-15);
  EXPECT_THROW(init::xavier_normal_(zeros({3})), Error);
}

TEST(Init, StridesDoNotChangeTheNumbers) {
  const Tensor contiguous = zeros({6, 5, 3, 2}), channels_last = Tensor::empty_channels_last({6, 5, 3, 2});
  manual_seed(5);
  init::uniform_(contiguous);
  manual_seed(5);
  init::uniform_(channels_last);
  EXPECT_TRUE(testing::same_bytes(contiguous, channels_last));
}

TEST(Init, ParametersStillRequireTheirGradients) {
  const Linear linear(3, 2);
  init::zeros_(linear.bias);
  EXPECT_TRUE(linear.bias.requires_grad() && linear.weight.requires_grad());
}

}  // namespace
}  // namespace percale::nn
