// Attention against the operations that it fuses, and what a token's bytes may depend on.
#include "../../kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../core/precision.h"
#include "../../core/random.h"
#include "../../kernels/cat/cat.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/matmul/matmul.h"
#include "../../kernels/random/random.h"
#include "../../kernels/reduction/reduction.h"
#include "../../kernels/softmax/softmax.h"
#include "../testing/check.h"
#include "../testing/message_of.h"

namespace percale {
namespace {

using testing::relative_difference;
using testing::same_bytes;

/// One sequence from matmul and softmax.
Tensor composed(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads) {
  const int64_t width = query.size(1) / heads;
  Tensors results;
  for (int64_t h = 0; h < heads; ++h) {
    const auto of = [&](const Tensor& x) { return x.slice(1, h * width, (h + 1) * width); };
    const Tensor products = mul(matmul(of(query), of(key).t()), 1 / std::sqrt(static_cast<double>(width)));
    results.push_back(matmul(softmax(products, 1), of(value)));
  }
  return cat(results, 1);
}

class AttentionOn : public ::testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    if (device.is_cuda() && !cuda_available()) GTEST_SKIP() << "no device cuda: " << reason_without_cuda();
    manual_seed(3);
  }
  Tensors operands(int64_t tokens, int64_t columns, DType dtype = f32) const {
    Tensors made;
    for (int i = 0; i < 3; ++i) made.push_back(randn({tokens, columns}, {dtype, device}).requires_grad_());
    return made;
  }
  Device device{GetParam()};
};

TEST_P(AttentionOn, AgreesWithMatmulAndSoftmaxAndSoDoItsGradients) {
  const int64_t heads = 2, columns = 24;
  const std::vector<int64_t> bounds = {0, 1, 1, 34, 39};
  const Tensors x = operands(bounds.back(), columns, f64);
  const Tensor upstream = randn({bounds.back(), columns}, {f64, device});
  const Tensor fused = attention(x[0], x[1], x[2], tensor({0, 1, 1, 34, 39}, device), 33, {.heads = heads});
  const Tensors gradients = grad({fused}, x, {upstream});
  Tensors parts;
  for (size_t s = 0; s + 1 < bounds.size(); ++s) {
    if (bounds[s] == bounds[s + 1]) continue;
    const auto of = [&](const Tensor& t) { return t.slice(0, bounds[s], bounds[s + 1]); };
    parts.push_back(composed(of(x[0]), of(x[1]), of(x[2]), heads));
  }
  const Tensor expected = cat(parts, 0);
  const Tensors expected_gradients = grad({expected}, x, {upstream});
  EXPECT_LT(relative_difference(fused, expected), 1e-13);
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(relative_difference(gradients[i], expected_gradients[i]), 1e-12) << i;
}

TEST_P(AttentionOn, GivesATokenTheSameBytesAloneAndBesideOthers) {
  const int64_t heads = 3, columns = 51, length = 37;
  for (const DType dtype : {f32, bf16}) {
    const Tensors x = operands(100, columns, dtype);
    const Tensor upstream = randn({100, columns}, {dtype, device});
    const auto run = [&](int64_t begin, int64_t end, const Tensor& offsets, int64_t longest) {
      Tensors own;
      for (const Tensor& t : x) own.push_back(t.detach().slice(0, begin, end).clone().requires_grad_());
      Tensors results = {attention(own[0], own[1], own[2], offsets, longest, {.heads = heads})};
      for (const Tensor& gradient : grad(results, own, {upstream.slice(0, begin, end)})) results.push_back(gradient);
      return results;
    };
    const Tensors alone = run(20, 20 + length, tensor({0, 37}, device), length);
    const Tensors beside = run(0, 100, tensor({0, 20, 57, 57, 100}, device), 43);
    for (size_t i = 0; i < alone.size(); ++i)
      EXPECT_TRUE(same_bytes(alone[i], beside[i].slice(0, 20, 20 + length).clone())) << text(dtype) << " " << i;
  }
}

TEST_P(AttentionOn, DropsWeightsAndLetsTheOthersGrow) {
  const int64_t tokens = 200;
  const Tensor query = zeros({tokens, 1}, {f32, device}), value = ones({tokens, 1}, {f32, device});
  const auto run = [&] {
    return attention(query, query, value, tensor({0, 200}, device), tokens, {.dropout = 0.25}).to(cpu_device);
  };
  // Each weight is 1/200, and 1/150 where it is kept: the mean of all 40,000 has a deviation of 0.0029.
  manual_seed(1);
  const Tensor first = run();
  EXPECT_NEAR(mean(first).item<float>(), 1, 0.012);
  EXPECT_GT(sum(ne(first, 1)).item<int64_t>(), tokens / 2);
  manual_seed(1);
  EXPECT_TRUE(same_bytes(first, run()));
  EXPECT_FALSE(same_bytes(first, run()));  // the next call's mask
}

TEST_P(AttentionOn, ComputesInBfloat16UnderAGuard) {
  const Tensors x = operands(30, 32);
  const PrecisionScope scope(Precision::bf16);
  const Tensor offsets = tensor({0, 30}, device);
  const Tensor rounded = attention(x[0], x[1], x[2], offsets, 30, {.heads = 2});
  EXPECT_EQ(rounded.dtype(), bf16);
  Tensors given;
  for (const Tensor& t : x) given.push_back(t.detach().to(bf16));
  EXPECT_TRUE(same_bytes(rounded.detach(), attention(given[0], given[1], given[2], offsets, 30, {.heads = 2})));
  for (const Tensor& gradient : grad({rounded}, x, {ones_like(rounded)})) EXPECT_EQ(gradient.dtype(), f32);
}

TEST_P(AttentionOn, KeepsItsDigitsWhereProductsAreLarge) {
  const Tensor offsets = tensor({0, 3}, device), x = tensor({1000.f, -1000.f, 999.f}, device).view({3, 1});
  const Tensor value = tensor({1.f, 2.f, 4.f}, device).view({3, 1});
  // The first and the last see exp(-1000) and exp(-999) beside the largest, the second the same mirrored.
  EXPECT_TRUE(same_bytes(attention(x, x, value, offsets, 3).to(cpu_device), tensor({1.f, 2.f, 1.f}).view({3, 1})));
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor result =
      attention(full({3, 1}, infinity - infinity, {f32, device}), x, value, offsets, 3).to(cpu_device);
  for (const float each : result.span<float>()) EXPECT_TRUE(std::isnan(each));
}

TEST_P(AttentionOn, HasNoSecondDerivative) {
  const Tensors x = operands(5, 4);
  const Tensor result = attention(x[0], x[1], x[2], tensor({0, 5}, device), 5);
  const Tensors first = grad({sum(result)}, x, {}, true, true);
  EXPECT_EQ(testing::message_of([&] { grad({sum(first[0])}, {x[0]}); }),
            "[attention] has no second derivative; build it from matmul and softmax to have one");
}

INSTANTIATE_TEST_SUITE_P(Devices, AttentionOn, ::testing::Values(DeviceType::cpu, DeviceType::cuda),
                         [](const auto& info) { return info.param == DeviceType::cpu ? "cpu" : "cuda"; });

}  // namespace
}  // namespace percale
