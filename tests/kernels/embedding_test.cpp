// What specs do not say of embedding: one-hot's equal, padding, max_norm, gradients that stay rows, bytes at any
// threads.
#include "../../kernels/embedding/embedding.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../core/primitives.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/matmul/matmul.h"
#include "../../kernels/random/random.h"
#include "../../kernels/reduction/reduction.h"
#include "../testing/check.h"
#include "../testing/message_of.h"

namespace percale {
namespace {

using testing::relative_difference;
using testing::same_bytes;

/// Multiples of 1/8: their sums are exact in any order.
Tensor eighths(const Shape& shape, uint64_t seed, Device device = cpu_device) {
  manual_seed(seed);
  return mul(randint(-16, 17, shape).to(f32), 0.125).to(device);
}

Tensor indices(int64_t rows, const Shape& shape, uint64_t seed, Device device = cpu_device) {
  manual_seed(seed);
  return randint(0, rows, shape).to(device);
}

class EmbeddingOn : public ::testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    if (device.is_cuda() && !cuda_available()) GTEST_SKIP() << "no device cuda: " << reason_without_cuda();
  }
  Device device{GetParam()};
};

TEST_P(EmbeddingOn, EqualsTheProductWithOneHotRows) {
  const Tensor index = indices(9, {40}, 1, device), upstream = eighths({40, 7}, 2, device);
  const Tensor table = eighths({9, 7}, 3, device).requires_grad_(), twin = table.detach().clone().requires_grad_();
  const Tensor one_hot = eq(index.unsqueeze(1), arange(9, {i64, device})).to(f32);
  const Tensor rows = embedding(table, index), products = matmul(one_hot, twin);
  EXPECT_TRUE(same_bytes(rows.detach(), products.detach()));
  rows.backward(upstream);
  products.backward(upstream);
  EXPECT_TRUE(same_bytes(table.grad(), twin.grad()));
  EXPECT_EQ(rows.grad_fn(), "EmbeddingBackward0");
}

TEST_P(EmbeddingOn, ThePaddingRowGainsNothing) {
  const Tensor table = eighths({5, 4}, 1, device).requires_grad_();
  const Tensor index = tensor({0, 3, 3, 1, 0}, device);
  sum(embedding(table, index, {.padding_idx = 3})).backward();
  EXPECT_TRUE(
      same_bytes(table.grad(), tensor({{2, 2, 2, 2}, {1, 1, 1, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}, device)));
  sum(embedding(table, index, {.padding_idx = -2, .sparse = true})).backward();
  const RowGradient rows = coalesced_row_gradient(table);
  EXPECT_TRUE(same_bytes(rows.index, tensor({0, 1}, device)));
  EXPECT_TRUE(same_bytes(rows.rows, tensor({{2, 2, 2, 2}, {1, 1, 1, 1}}, device)));
}

TEST_P(EmbeddingOn, AGradientThatStaysRowsIsTheDenseOne) {
  const Tensor table = eighths({300, 12}, 1, device).requires_grad_(), twin = table.detach().clone().requires_grad_();
  for (uint64_t pass = 0; pass < 2; ++pass) {  // and gathers over passes, and over uses in one
    const Tensor index = indices(300, {6, 11}, pass, device), upstream = eighths({6, 11, 12}, 9 + pass, device);
    const auto both = [&](const Tensor& t, bool sparse) {
      add(embedding(t, index, {.sparse = sparse}), embedding(t, index, {.sparse = sparse})).backward(upstream);
    };
    both(table, true);
    both(twin, false);
  }
  EXPECT_FALSE(table.grad().defined());
  EXPECT_EQ(row_gradients(table).size(), 4u);
  const RowGradient rows = coalesced_row_gradient(table);
  const Tensor dense = zeros({300, 12}, {f32, device});
  for (int64_t i = 0; i < rows.index.numel(); ++i) dense[rows.index[i].item<int64_t>()].copy_(rows.rows[i]);
  EXPECT_TRUE(same_bytes(dense, twin.grad()));
  clear_row_gradients(table);
  EXPECT_TRUE(row_gradients(table).empty());
  EXPECT_FALSE(coalesced_row_gradient(table).index.defined());
}

TEST_P(EmbeddingOn, MaxNormShrinksRowsAsPyTorch) {
  // torch.nn.functional.embedding(torch.tensor([1, 3, 1]), x, max_norm=1.5, norm_type=p), x = arange(12) / 4 - 1 as [4,
  // 3]
  const std::vector<std::pair<double, std::vector<float>>> expected = {
      {2, {0.7150968909263611f, 0.8581162691116333f, 1.0011355876922607f}},
      {1, {0.4166666269302368f, 0.4999999701976776f, 0.5833333134651184f}},
      {3, {0.8512213826179504f, 1.0214656591415405f, 1.1917099952697754f}},
      {INFINITY, {1.0714285f, 1.2857143f, 1.5f}}};
  for (const auto& [type, last] : expected) {
    const Tensor table = sub(mul(arange(12, {f32, device}), 0.25), 1).view({4, 3}), before = table.clone();
    const Tensor rows = embedding(table, tensor({1, 3, 1}, device), {.max_norm = 1.5, .norm_type = type});
    EXPECT_TRUE(same_bytes(table.slice(0, 0, 3), before.slice(0, 0, 3))) << "only row 3 is too long; norm " << type;
    EXPECT_LT(relative_difference(table[3], tensor({last[0], last[1], last[2]}, device)), 2e-7) << "norm " << type;
    EXPECT_TRUE(same_bytes(rows[1], table[3]));
  }
}

TEST_P(EmbeddingOn, ABadIndexLeavesTheTableAsItWas) {
  const Tensor table = full({4, 3}, 9, {f32, device});
  EXPECT_THROW(embedding(table, tensor({1, 4}, device), {.max_norm = 1}).to(cpu_device), Error);
  EXPECT_TRUE(same_bytes(table, full({4, 3}, 9, {f32, device})));
}

TEST_P(EmbeddingOn, LongRunsOfOneRowAreSummedWell) {
  manual_seed(4);
  const int64_t count = device.is_cuda() ? 3000 : 60'000;
  const Tensor upstream = randn({count, 5}).to(device);
  const Tensor table = zeros({4, 5}, {f32, device}).requires_grad_();
  embedding(table, full({count}, 2, {i64, device})).backward(upstream);
  const Tensor exact = sum(upstream.to(cpu_device).to(f64), {0});
  EXPECT_LT(relative_difference(table.grad()[2], exact.to(f32)), 2e-6);
  EXPECT_TRUE(same_bytes(table.grad()[1], zeros({5}, {f32, device})));
}

INSTANTIATE_TEST_SUITE_P(Cpu, EmbeddingOn, ::testing::Values(cpu_device.type));
INSTANTIATE_TEST_SUITE_P(Cuda, EmbeddingOn, ::testing::Values(cuda_device.type));

TEST(Embedding, GradientsDoNotDependOnThreads) {
  const int threads = cpu::num_threads();
  for (const int64_t width : {3, 64, 200}) {
    Tensor gradients[3];
    for (int i = 0; i < 3; ++i) {
      cpu::set_num_threads(i + 1);
      manual_seed(1);
      const Tensor upstream = randn({20'000, width}), table = zeros({5000, width}).requires_grad_();
      // About as many of each: rows that come once, and rows that come thousands of times.
      const Tensor index = maximum(randint(-5000, 5000, {20'000}), 0);
      embedding(table, index).backward(upstream);
      gradients[i] = table.grad();
    }
    EXPECT_TRUE(same_bytes(gradients[0], gradients[1])) << "width " << width;
    EXPECT_TRUE(same_bytes(gradients[0], gradients[2])) << "width " << width;
  }
  cpu::set_num_threads(threads);
}

TEST(Embedding, GradWithRespectToASparseTableSaysWhatToDo) {
  const Tensor table = zeros({4, 3}).requires_grad_();
  const Tensor total = sum(embedding(table, tensor({1}), {.sparse = true}));
  const std::string error = testing::message_of([&] { grad({total}, {table}); });
  EXPECT_NE(error.find("say backward() and row_gradients()"), std::string::npos) << error;
}

}  // namespace
}  // namespace percale
