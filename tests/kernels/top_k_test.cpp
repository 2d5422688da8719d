// What specs do not say of top_k: where NaN stands, the order of equals, and whose the gradient is.
#include "../../kernels/top_k/top_k.h"

#include <gtest/gtest.h>

#include <limits>

#include "../../kernels/fill/fill.h"
#include "../testing/check.h"

namespace percale {
namespace {

using testing::same_bytes;

class TopKOn : public ::testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    if (device.is_cuda() && !cuda_available()) GTEST_SKIP() << "no device cuda: " << reason_without_cuda();
  }
  Device device{GetParam()};
};

TEST_P(TopKOn, NanIsLargestAndEqualsKeepTheirOrder) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = tensor({2.0f, nan, 3.0f, 2.0f, nan, 3.0f}, device);
  EXPECT_TRUE(same_bytes(top_k(x, 6).second, tensor({1, 4, 2, 5, 0, 3}, device).to(i64)));
  EXPECT_TRUE(same_bytes(top_k(x, 6, 0, false).second, tensor({0, 3, 2, 5, 1, 4}, device).to(i64)));
  EXPECT_TRUE(same_bytes(top_k(x, 3).first, tensor({nan, nan, 3.0f}, device)));
}

TEST_P(TopKOn, TheGradientGoesToTheChosen) {
  const Tensor x = tensor({{1, 5, 5, 0}, {4, 3, 2, 1}}, device).to(f32).requires_grad_();
  const auto [values, index] = top_k(x, 2);
  EXPECT_EQ(values.grad_fn(), "TopkBackward0");
  values.backward(tensor({{10, 20}, {30, 40}}, device).to(f32));
  EXPECT_TRUE(same_bytes(x.grad(), tensor({{0, 10, 20, 0}, {30, 40, 0, 0}}, device).to(f32)));
}

TEST_P(TopKOn, NoneMayBeChosen) {
  const Tensor x = ones({3, 4}, {f32, device}).requires_grad_();
  const Tensor values = top_k(x, 0).first;
  EXPECT_EQ(values.shape(), Shape({3, 0}));
  values.backward(zeros({3, 0}, {f32, device}));
  EXPECT_TRUE(same_bytes(x.grad(), zeros({3, 4}, {f32, device})));
}

INSTANTIATE_TEST_SUITE_P(Cpu, TopKOn, ::testing::Values(cpu_device.type));
INSTANTIATE_TEST_SUITE_P(Cuda, TopKOn, ::testing::Values(cuda_device.type));

}  // namespace
}  // namespace percale
