// What specs do not say of top_k: where NaN stands, the order of equals, and whose the gradient is.
#include "../../kernels/top_k/top_k.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

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

/// Some elements of rows, and all of them, against a sort on the host. Of few elements the rest lies behind whole
/// blocks.
template <class T>
void expect_sorted(const std::vector<T>& row, Device device) {
  const auto count = static_cast<int64_t>(row.size());
  for (const bool largest : {true, false}) {
    std::vector<int64_t> order(row.size());
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
      const T a = row[static_cast<size_t>(i)], b = row[static_cast<size_t>(j)];
      const bool a_nan = a != a, b_nan = b != b;
      if (a_nan || b_nan) return a_nan != b_nan && a_nan == largest;
      return largest ? a > b : a < b;
    });
    const Tensor two = Tensor::empty({2, count}, {dtype_of<T>, cpu_device});
    for (int64_t i = 0; i < 2 * count; ++i) two.data<T>()[i] = row[static_cast<size_t>(i % count)];
    for (const int64_t k : {int64_t{5}, count}) {
      const auto [values, index] = top_k(two.to(device), k, -1, largest);
      const Tensor places = index.to(cpu_device), found = values.to(cpu_device);
      for (int64_t i = 0; i < 2 * k; ++i) {
        const int64_t place = order[static_cast<size_t>(i % k)];
        ASSERT_EQ(places.data<int64_t>()[i], place) << i << (largest ? " of the largest " : " of the smallest ") << k;
        ASSERT_EQ(std::memcmp(found.data<T>() + i, &row[static_cast<size_t>(place)], sizeof(T)), 0);
      }
    }
  }
}

TEST_P(TopKOn, WholeRowsAreSorted) {
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> reals = {0.0, -0.0, infinity, -infinity, nan, -nan, 1e-310, -1e-310, 1e300, -1e300};
  std::vector<int64_t> whole = {0, -1, INT64_MAX, INT64_MIN, int64_t{1} << 32, -(int64_t{1} << 32), 1, 0};
  for (int i = 0; i < 60; ++i) {
    reals.push_back(std::sin(7.0 * (i % 11)) * (i % 3 ? 1 : 1e8));
    whole.push_back((i * 7919 % 64 - 32) * (int64_t{1} << i % 40));
  }
  expect_sorted(reals, device);
  std::reverse(reals.begin(), reals.end());  // NaN and infinity behind numbers, and numbers behind NaN
  expect_sorted(reals, device);
  expect_sorted(std::vector<float>(reals.begin(), reals.end()), device);
  expect_sorted(whole, device);
  std::vector<int32_t> narrow;
  std::vector<uint8_t> bytes;
  for (const int64_t value : whole) narrow.push_back(static_cast<int32_t>(value)), bytes.push_back(value & 255);
  expect_sorted(narrow, device);
  expect_sorted(bytes, device);
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
