// What specs do not say of nearest_neighbours: every neighbour is found, ties, NaN, and answers that stand alone.
#include "../../kernels/nearest_neighbours/nearest_neighbours.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/matmul/matmul.h"
#include "../../kernels/random/random.h"
#include "../testing/check.h"

namespace percale {
namespace {

using testing::same_bytes;

class NearestOn : public ::testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    if (device.is_cuda() && !cuda_available()) GTEST_SKIP() << "no device cuda: " << reason_without_cuda();
  }
  Device device{GetParam()};
};

/// The order of all rows by the f64 similarities of one query, by the standard library.
std::vector<int64_t> all_in_order(const double* similarity, int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return similarity[a] > similarity[b]; });
  return order;
}

TEST_P(NearestOn, FindsEveryNeighbour) {
  manual_seed(1);
  const int64_t n = device.is_cuda() ? 200 : 20'000, k = 7;
  const Tensor queries = randn({6, 24}), rows = randn({n, 24});
  const Tensor wide = rows.to(f64), dots = matmul(queries.to(f64), wide.t());
  for (const Similarity kind : {Similarity::dot, Similarity::cosine, Similarity::euclidean}) {
    const auto [similarity, index] = nearest_neighbours(queries.to(device), rows.to(device), k, kind);
    const Tensor values = similarity.to(cpu_device), found = index.to(cpu_device);
    for (int64_t q = 0; q < 6; ++q) {
      std::vector<double> exact(static_cast<size_t>(n));
      for (int64_t r = 0; r < n; ++r) {
        double own = 0, of_row = 0, difference = 0;
        for (int64_t i = 0; i < 24; ++i) {
          const double a = queries.data<float>()[q * 24 + i], b = wide.data<double>()[r * 24 + i];
          own += a * a, of_row += b * b, difference += (a - b) * (a - b);
        }
        const double dot = dots.data<double>()[q * n + r];
        exact[static_cast<size_t>(r)] = kind == Similarity::dot      ? dot
                                        : kind == Similarity::cosine ? dot / std::sqrt(own * of_row)
                                                                     : -std::sqrt(difference);
      }
      const std::vector<int64_t> order = all_in_order(exact.data(), n);
      for (int64_t j = 0; j < k; ++j) {
        const int64_t row = order[static_cast<size_t>(j)];
        EXPECT_EQ(found.data<int64_t>()[q * k + j], row) << "query " << q << ", neighbour " << j;
        EXPECT_NEAR(values.data<float>()[q * k + j], exact[static_cast<size_t>(row)], 1e-5);
      }
    }
  }
}

TEST_P(NearestOn, EqualsComeInTheOrderOfTheRows) {
  const Tensor rows = tensor({{1, 0}, {2, 0}, {0, 1}, {2, 0}, {1, 0}, {2, 0}}, device).to(f32);
  const Tensor queries = tensor({{1, 0}, {0, 0}}, device).to(f32);
  const auto [dots, by_dot] = nearest_neighbours(queries, rows, 6, Similarity::dot);
  EXPECT_TRUE(same_bytes(by_dot, tensor({{1, 3, 5, 0, 4, 2}, {0, 1, 2, 3, 4, 5}}, device).to(i64)));
  EXPECT_TRUE(same_bytes(dots, tensor({{2, 2, 2, 1, 1, 0}, {0, 0, 0, 0, 0, 0}}, device).to(f32)));
  const auto [cosines, by_cosine] = nearest_neighbours(queries, rows, 4, Similarity::cosine);
  EXPECT_TRUE(same_bytes(by_cosine, tensor({{0, 1, 3, 4}, {0, 1, 2, 3}}, device).to(i64)));
  EXPECT_TRUE(same_bytes(cosines, tensor({{1, 1, 1, 1}, {0, 0, 0, 0}}, device).to(f32)));
  const auto [distances, by_distance] = nearest_neighbours(queries, rows, 3, Similarity::euclidean);
  EXPECT_TRUE(same_bytes(by_distance, tensor({{0, 4, 1}, {0, 2, 4}}, device).to(i64)));
  EXPECT_TRUE(same_bytes(distances, tensor({{0, 0, -1}, {-1, -1, -1}}, device).to(f32)));
}

TEST_P(NearestOn, WhatIsNotANumberIsNearToNothing) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor rows = tensor({nan, -3.0f, 2.0f, nan}, device).view({4, 1});
  const Tensor query = ones({1, 1}, {f32, device});
  for (const Similarity kind : {Similarity::dot, Similarity::cosine, Similarity::euclidean}) {
    const auto [similarity, index] = nearest_neighbours(query, rows, 4, kind);
    EXPECT_TRUE(same_bytes(index, tensor({2, 1, 0, 3}, device).view({1, 4}).to(i64)));
    EXPECT_EQ(similarity[0][2].item<float>(), -std::numeric_limits<float>::infinity());
  }
}

TEST_P(NearestOn, AnAnswerDoesNotDependOnItsBatch) {
  manual_seed(2);
  const int64_t count = device.is_cuda() ? 7 : 515, n = device.is_cuda() ? 90 : 5000;
  const Tensor queries = randn({count, 33}).to(device), rows = randn({n, 33}).to(device);
  for (const Similarity kind : {Similarity::dot, Similarity::cosine, Similarity::euclidean}) {
    const auto [similarity, index] = nearest_neighbours(queries, rows, 5, kind);
    for (const int64_t q : {int64_t{0}, count / 2, count - 1}) {
      const auto [alone, index_alone] = nearest_neighbours(queries.slice(0, q, q + 1), rows, 5, kind);
      EXPECT_TRUE(same_bytes(alone[0], similarity[q]));
      EXPECT_TRUE(same_bytes(index_alone[0], index[q]));
    }
  }
}

TEST_P(NearestOn, AllRowsMayBeAskedFor) {
  manual_seed(3);
  const int64_t n = device.is_cuda() ? 50 : 4500;
  const Tensor rows = randn({n, 5}).to(device);
  const auto [similarity, index] = nearest_neighbours(rows.slice(0, 0, 2), rows, n, Similarity::dot);
  const Tensor found = index.to(cpu_device);
  std::vector<int64_t> ids(found.data<int64_t>(), found.data<int64_t>() + n);
  std::sort(ids.begin(), ids.end());
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(ids[static_cast<size_t>(i)], i);
}

/// More rows than one product takes, on either device.
TEST_P(NearestOn, LooksThroughManyBlocks) {
  manual_seed(4);
  const Tensor rows = randn({18'000, 2}), query = randn({1, 2});
  const auto [similarity, index] = nearest_neighbours(query.to(device), rows.to(device), 3, Similarity::dot);
  const Tensor dots = matmul(rows.to(f64), query.to(f64).t());
  const std::vector<int64_t> order = all_in_order(dots.data<double>(), 18'000);
  for (int64_t j = 0; j < 3; ++j) EXPECT_EQ(index[0][j].item<int64_t>(), order[static_cast<size_t>(j)]);
}

INSTANTIATE_TEST_SUITE_P(Cpu, NearestOn, ::testing::Values(cpu_device.type));
INSTANTIATE_TEST_SUITE_P(Cuda, NearestOn, ::testing::Values(cuda_device.type));

}  // namespace
}  // namespace percale
