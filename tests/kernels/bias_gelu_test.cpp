// GELU where its tails are, and what bias_gelu has in common with gelu.
#include "../../kernels/bias_gelu/bias_gelu.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/autograd.h"
#include "../../core/random.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/random/random.h"
#include "../../kernels/reduction/reduction.h"
#include "../testing/check.h"

namespace percale {
namespace {

/// x in steps of 1/4096 from `low` on: exact in f32.
Tensor steps(double low, double high) {
  const auto count = static_cast<int64_t>((high - low) * 4096);
  Tensor x = Tensor::empty({count}, {f32, cpu_device});
  for (int64_t i = 0; i < count; ++i) x.data<float>()[i] = static_cast<float>(low + static_cast<double>(i) / 4096);
  return x;
}

double exact_gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double exact_slope(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI);
}

double worst(const Tensor& x, const Tensor& y, double (*exact)(double), bool relative) {
  double result = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double wanted = exact(x.data<float>()[i]), apart = std::abs(static_cast<double>(y.data<float>()[i]) - wanted);
    result = std::max(result, !relative ? apart : wanted == 0 ? apart > 0 : apart / std::abs(wanted));
  }
  return result;
}

TEST(Gelu, KeepsItsPrecisionInTheTails) {
  const struct {
    double low, high, bound;
  } ranges[] = {{-12.5, -6, 6e-6}, {-6, -3, 2e-6}, {-3, -1, 7e-7}, {-1, 1, 3e-7}, {1, 20, 1.3e-7}};
  for (const auto& [low, high, bound] : ranges) {
    const Tensor x = steps(low, high);
    EXPECT_LE(worst(x, gelu(x), exact_gelu, true), bound) << "from " << low;
    const Tensor leaf = x.clone().requires_grad_();
    gelu(leaf).backward(ones({x.numel()}));
    // The slope crosses zero at -0.7518: there only the difference counts.
    EXPECT_LE(worst(x, leaf.grad(), exact_slope, false), 3e-7) << "from " << low;
  }
}

TEST(Gelu, BeyondTheTailsIsNothingOrItself) {
  const Tensor x = tensor({-13.25, -20.0, -1e10, -3e38, 13.25, 1e10, 3e38, 0.0});
  const Tensor y = gelu(x);
  for (int64_t i = 0; i < 8; ++i)
    EXPECT_EQ(y[i].item<float>(), std::max(x[i].item<float>(), 0.0f)) << x[i].item<float>();
  EXPECT_EQ(gelu(tensor({INFINITY}))[0].item<float>(), INFINITY);
  EXPECT_TRUE(std::isnan(gelu(tensor({NAN}))[0].item<float>()));
}

TEST(BiasGelu, IsGeluOfTheSumByteForByte) {
  manual_seed(5);
  const Tensor x = randn({37, 100}).requires_grad_(), bias = randn({100}).requires_grad_();
  const Tensor y = bias_gelu(x, bias);
  EXPECT_TRUE(testing::same_bytes(y, gelu(x.detach() + bias.detach())));
  const Tensor upstream = randn({37, 100});
  y.backward(upstream);
  const Tensor sum = (x.detach() + bias.detach()).requires_grad_();
  gelu(sum).backward(upstream);
  EXPECT_TRUE(testing::same_bytes(x.grad(), sum.grad()));
  EXPECT_LE(testing::relative_difference(bias.grad(), percale::sum(sum.grad(), {0})), 1e-6);
}

TEST(BiasGelu, ARowDoesNotSeeTheOthers) {
  manual_seed(6);
  const Tensor x = randn({70, 50}), bias = randn({50});
  const Tensor all = bias_gelu(x, bias);
  for (const int64_t row : {0, 33, 69})
    EXPECT_TRUE(testing::same_bytes(bias_gelu(x.slice(0, row, row + 1), bias), all.slice(0, row, row + 1)));
}

TEST(BiasGelu, KeepsTheInputsDtype) {
  manual_seed(7);
  const Tensor x = randn({5, 24}).to(bf16).detach().requires_grad_(), bias = randn({24}).requires_grad_();
  const Tensor y = bias_gelu(x, bias);
  EXPECT_EQ(y.dtype(), bf16);
  EXPECT_TRUE(testing::same_bytes(y, gelu(x.detach().to(f32) + bias.detach()).to(bf16)));
  y.backward(ones({5, 24}, {bf16, cpu_device}));
  EXPECT_EQ(x.grad().dtype(), bf16);
  EXPECT_EQ(bias.grad().dtype(), f32);
}

}  // namespace
}  // namespace percale
