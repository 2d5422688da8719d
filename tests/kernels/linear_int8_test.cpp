// Layers in 8-bit integers, against their definition and against f32.
#include "../../kernels/linear_int8/linear_int8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../core/precision.h"
#include "../../core/random.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/linear/linear.h"
#include "../../kernels/random/random.h"
#include "../testing/check.h"
#include "../testing/message_of.h"

namespace percale {
namespace {

using testing::relative_difference;
using testing::same_bytes;

constexpr float infinity = std::numeric_limits<float>::infinity();

/// The layer as its header says it, number by number.
Tensor defined(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation) {
  const int64_t rows = x.size(0), in = x.size(1), out = weight.size(0);
  const Tensor result = Tensor::empty({rows, out});
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x.data<float>() + r * in;
    const float low = std::min(*std::min_element(row, row + in), 0.0f),
                high = std::max(*std::max_element(row, row + in), 0.0f);
    const double range = double{high} - double{low};
    const auto factor = static_cast<float>(255 / range), scale = static_cast<float>(range / 255);
    const float zero = std::nearbyint(-low * factor);
    for (int64_t o = 0; o < out; ++o) {
      const float* weights = weight.data<float>() + o * in;
      float largest = 0;
      for (int64_t k = 0; k < in; ++k) largest = std::max(largest, std::abs(weights[k]));
      const float weight_scale = largest / 127;
      int64_t sum = 0;
      for (int64_t k = 0; k < in; ++k) {
        const float value = std::nearbyint(std::clamp(std::fma(row[k], factor, zero), 0.0f, 255.0f));
        sum += static_cast<int64_t>(value - zero) * static_cast<int64_t>(std::nearbyint(weights[k] / weight_scale));
      }
      const float whole = static_cast<float>(sum) * (scale * weight_scale) + bias.data<float>()[o];
      result.data<float>()[r * out + o] = activation == Activation::relu && whole < 0 ? 0 : whole;
    }
  }
  return result;
}

TEST(LinearInt8, IsWhatItsDefinitionSays) {
  manual_seed(5);
  for (const auto& [rows, in, out] :
       {std::array<int64_t, 3>{1, 1, 1}, {3, 7, 5}, {9, 300, 40}, {21, 129, 65}, {8, 2000, 33}}) {
    const Tensor x = randn({rows, in}), weight = randn({out, in}), bias = randn({out});
    for (const Activation activation : {Activation::none, Activation::relu})
      EXPECT_TRUE(
          same_bytes(linear_int8(x, quantise_rows(weight), bias, activation), defined(x, weight, bias, activation)))
          << rows << " " << in << " " << out;
  }
}

TEST(LinearInt8, IsNearTheLayerInFloats) {
  manual_seed(6);
  const Tensor x = randn({50, 384}), weight = randn({96, 384}), bias = randn({96});
  // Two roundings of up to half a step in 255 of some 6 and 7 deviations: the sums' deviation is 0.01 of their own.
  EXPECT_LT(relative_difference(linear_int8(x, quantise_rows(weight), bias), linear(x, weight, bias)), 0.012);
  const Tensor rounded = dequantised(quantise_rows(weight));
  for (int64_t o = 0; o < 96; ++o) {
    float largest = 0, worst = 0;
    for (int64_t k = 0; k < 384; ++k) {
      const int64_t at = o * 384 + k;
      largest = std::max(largest, std::abs(weight.data<float>()[at]));
      worst = std::max(worst, std::abs(weight.data<float>()[at] - rounded.data<float>()[at]));
    }
    EXPECT_LE(worst, largest / 254 * 1.0001f);
    EXPECT_GT(worst, largest / 300);
  }
}

TEST(LinearInt8, GivesARowTheSameBytesAloneAndBesideOthers) {
  manual_seed(7);
  const Tensor x = randn({150, 100}), bias = randn({70});
  const QuantisedWeight weight = quantise_rows(randn({70, 100}));
  const int threads = cpu::num_threads();
  cpu::set_num_threads(2);
  const Tensor all = linear_int8(x, weight, bias);
  cpu::set_num_threads(1);
  EXPECT_TRUE(same_bytes(all, linear_int8(x, weight, bias)));
  cpu::set_num_threads(threads);
  for (int64_t begin = 0; begin < 150; begin += 11)
    for (const int64_t count : {1, 2, 7, 13}) {
      const int64_t end = std::min<int64_t>(begin + count, 150);
      EXPECT_TRUE(same_bytes(linear_int8(x.slice(0, begin, end), weight, bias), all.slice(0, begin, end).clone()));
    }
}

TEST(LinearInt8, KeepsWhatIsNotANumberToItself) {
  manual_seed(8);
  Tensor x = randn({4, 40}), weight = randn({35, 40});
  const Tensor clean = linear_int8(x, quantise_rows(weight));
  x.data<float>()[1 * 40 + 39] = std::nanf("");
  x.data<float>()[2 * 40 + 3] = -infinity;
  weight.data<float>()[34 * 40 + 5] = infinity;
  weight.mark_written("test");
  const Tensor result = linear_int8(x, quantise_rows(weight));
  for (int64_t r = 0; r < 4; ++r)
    for (int64_t o = 0; o < 35; ++o) {
      const float value = result.data<float>()[r * 35 + o];
      if (r == 1 || r == 2 || o == 34)
        EXPECT_TRUE(std::isnan(value)) << r << " " << o;
      else
        EXPECT_EQ(value, clean.data<float>()[r * 35 + o]) << r << " " << o;
    }
}

TEST(LinearInt8, MakesNothingOfRowsWithoutSize) {
  const Tensor bias = tensor({1.5f, -2.0f}), weight = tensor({{1.f, 2.f, 3.f}, {0.f, 0.f, 0.f}});
  const Tensor x = tensor({{0.f, 0.f, 0.f}, {1e-38f, -1e-39f, 0.f}, {3e38f, -3e38f, 0.f}});
  const Tensor result = linear_int8(x, quantise_rows(weight), bias);
  EXPECT_TRUE(same_bytes(result.slice(0, 0, 2).clone(), tensor({{1.5f, -2.f}, {1.5f, -2.f}})));
  // Half a step of x is 1.2e36 and half a step of the weights 3 / 254: together up to 0.035 of the sum.
  EXPECT_NEAR(result.data<float>()[4] / -3e38f, 1, 0.035);
  EXPECT_EQ(result.data<float>()[5], -2);
}

TEST(LinearInt8, IsHowLinearComputesUnderItsPrecision) {
  manual_seed(9);
  const Tensor x = randn({6, 5, 64}), weight = randn({48, 64}), bias = randn({48});
  const Tensor exact = linear(x, weight, bias);
  const PrecisionScope scope(Precision::int8);
  EXPECT_TRUE(same_bytes(linear(x, weight, bias), linear_int8(x, quantise_rows(weight), bias)));
  EXPECT_TRUE(same_bytes(linear_relu(x, weight), linear_int8(x, quantise_rows(weight), {}, Activation::relu)));
  weight.requires_grad_();
  EXPECT_TRUE(same_bytes(linear(x, weight, bias).detach(), exact));  // in training, f32
  const NoGradGuard no_grad;
  const Tensor before = linear(x, weight, bias);
  weight *= 2;
  EXPECT_LT(relative_difference(linear(x, weight), mul(sub(before, bias), 2)), 1e-6);  // the new version, rounded anew
}

TEST(LinearInt8, RunsOnTheCpuAloneAndSaysSo) {
  EXPECT_NE(reason_without(Precision::int8, cuda_device), "");
  if (!cuda_available()) GTEST_SKIP() << reason_without_cuda();
  EXPECT_EQ(testing::message_of([] {
              quantise_rows(ones({2, 4}, {f32, cuda_device}));
            }),
            "[quantise_rows] runs on the CPU only; on CUDA use bf16");
  EXPECT_EQ(testing::message_of([] {
              linear_int8(ones({2, 4}, {f32, cuda_device}), quantise_rows(ones({2, 4})));
            }),
            "[linear_int8] runs on the CPU only; on CUDA use bf16");
}

}  // namespace
}  // namespace percale
