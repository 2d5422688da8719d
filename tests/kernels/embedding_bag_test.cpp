// Bags of a table's rows, against PyTorch's numbers, and what they have in common with embedding.
#include "../../kernels/embedding_bag/embedding_bag.h"

#include <gtest/gtest.h>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/embedding/embedding.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/random/random.h"
#include "../../kernels/reduction/reduction.h"
#include "../testing/check.h"

namespace percale {
namespace {

using testing::relative_difference;
using testing::same_bytes;

class EmbeddingBagOn : public ::testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    if (device.is_cuda() && !cuda_available()) GTEST_SKIP() << "no device cuda: " << reason_without_cuda();
    table.requires_grad_();
  }
  Device device{GetParam()};
  Tensor table =
      cuda_available() || device.is_cpu()
          ? tensor({{-1, .75, -.25}, {1.5, .5, -.5}, {1.25, .25, -.75}, {1, 0, -1}, {.75, -.25, 1.5}}, device)
          : Tensor();
  Tensor upstream() const { return sub(div(arange(12, {f32, device}), 2), 2).view({4, 3}); }
  Tensor index() const { return tensor({4, 1, 1, 0, 3, 2, 4}, device); }
  Tensor offsets() const { return tensor({0, 0, 3, 6}, device); }
};

// torch 2.15: F.embedding_bag(index, table, offsets, mode=..., padding_idx=1) and table.grad
TEST_P(EmbeddingBagOn, AgreesWithPyTorch) {
  const double third = 1.0 / 3;
  struct Expected {
    BagMode mode;
    Tensor rows, gradient;
  };
  const Expected all[] = {
      {BagMode::sum, tensor({{0, 0, 0}, {.75, -.25, 1.5}, {1.25, 1, -2}, {.75, -.25, 1.5}}, device),
       tensor({{1, 1.5, 2}, {0, 0, 0}, {1, 1.5, 2}, {1, 1.5, 2}, {2, 3, 4}}, device)},
      {BagMode::mean,
       tensor({{0, 0, 0}, {.75, -.25, 1.5}, {float(1.25 * third), float(third), float(-2 * third)}, {.75, -.25, 1.5}},
              device),
       tensor({{float(third), .5, float(2 * third)},
               {0, 0, 0},
               {float(third), .5, float(2 * third)},
               {float(third), .5, float(2 * third)},
               {2, 3, 4}},
              device)},
      {BagMode::max, tensor({{0, 0, 0}, {.75, -.25, 1.5}, {1.25, .75, -.25}, {.75, -.25, 1.5}}, device),
       tensor({{0, 1.5, 2}, {0, 0, 0}, {1, 0, 0}, {0, 0, 0}, {2, 3, 4}}, device)}};
  for (const Expected& expected : all) {
    table.set_grad({});
    const Tensor rows = embedding_bag(table, index(), offsets(), {.mode = expected.mode, .padding_idx = 1});
    rows.backward(upstream());
    EXPECT_LT(relative_difference(rows.detach(), expected.rows), 1e-7);
    EXPECT_LT(relative_difference(table.grad(), expected.gradient), 1e-7);
    EXPECT_EQ(rows.grad_fn(), "EmbeddingBagBackward0");
  }
}

TEST_P(EmbeddingBagOn, WeighsAsPyTorch) {
  const Tensor weights = tensor({1.f, 2.f, 3.f, -1.f, .5f, 2.f, 4.f}, device).requires_grad_();
  const Tensor rows = embedding_bag(table, index(), offsets(), {.mode = BagMode::sum, .per_sample_weights = weights});
  rows.backward(upstream());
  EXPECT_TRUE(same_bytes(rows.detach(), tensor({{0, 0, 0}, {8.25, 2.25, -1}, {4, -.25, -1.75}, {3, -1, 6}}, device)));
  EXPECT_TRUE(same_bytes(table.grad(),
                         tensor({{-1, -1.5, -2}, {-2.5, 0, 2.5}, {2, 3, 4}, {.5, .75, 1}, {9.5, 12, 14.5}}, device)));
  EXPECT_TRUE(same_bytes(weights.grad(), tensor({.375f, -1.f, -1.f, -.375f, -1.f, .125f, 6.375f}, device)));
}

TEST_P(EmbeddingBagOn, TheLastOffsetMayEndTheLastBag) {
  const Tensor open = embedding_bag(table, index(), offsets());
  const Tensor ended =
      embedding_bag(table, index(), tensor({0, 0, 3, 6, 7}, device).to(i32), {.include_last_offset = true});
  EXPECT_TRUE(same_bytes(open.detach(), ended.detach()));
}

TEST_P(EmbeddingBagOn, ASparseGradientIsTheDenseOne) {
  const Tensor twin = table.detach().clone().requires_grad_();
  embedding_bag(table, index(), offsets(), {.mode = BagMode::mean, .padding_idx = 1, .sparse = true})
      .backward(upstream());
  embedding_bag(twin, index(), offsets(), {.mode = BagMode::mean, .padding_idx = 1}).backward(upstream());
  const RowGradient rows = coalesced_row_gradient(table);
  EXPECT_TRUE(same_bytes(rows.index, tensor({0, 2, 3, 4}, device)));
  for (int64_t i = 0; i < 4; ++i) EXPECT_TRUE(same_bytes(rows.rows[i], twin.grad()[rows.index[i].item<int64_t>()]));
}

INSTANTIATE_TEST_SUITE_P(Cpu, EmbeddingBagOn, ::testing::Values(cpu_device.type));
INSTANTIATE_TEST_SUITE_P(Cuda, EmbeddingBagOn, ::testing::Values(cuda_device.type));

TEST(EmbeddingBag, BytesDoNotDependOnThreads) {
  const int threads = cpu::num_threads();
  Tensor rows[3], gradients[3];
  for (int i = 0; i < 3; ++i) {
    cpu::set_num_threads(i + 1);
    manual_seed(1);
    const Tensor table = randn({2000, 24}).requires_grad_(), index = randint(0, 2000, {500, 37});
    rows[i] = embedding_bag(table, index);
    rows[i].backward(randn({500, 24}));
    gradients[i] = table.grad();
    EXPECT_TRUE(same_bytes(rows[i].detach(), rows[0].detach()));
    EXPECT_TRUE(same_bytes(gradients[i], gradients[0]));
  }
  cpu::set_num_threads(threads);
  // In another order than mean's, so not the same bytes.
  manual_seed(1);
  const Tensor table = randn({2000, 24}), index = randint(0, 2000, {500, 37});
  EXPECT_LT(relative_difference(rows[0].detach(), mean(embedding(table, index), {1})), 1e-6);
}

}  // namespace
}  // namespace percale
