// Training as a whole: it learns, it leaks nothing, it asks the system for nothing.
#include <gtest/gtest.h>

#include "../../core/allocator.h"
#include "../../core/autograd.h"
#include "../../core/random.h"
#include "../../kernels/fill/fill.h"
#include "../../nn/clip_grad.h"
#include "../../nn/layers/activations.h"
#include "../../nn/layers/pooling.h"
#include "../../nn/losses.h"
#include "../../nn/models/simple_cnn.h"
#include "../../nn/optim/adam.h"
#include "../../nn/optim/sgd.h"
#include "../../nn/sequential.h"
#include "../testing/check.h"
#include "inputs.h"

namespace percale {
namespace {

using testing::counted;

struct Alive {
  int64_t nodes, blocks, bytes;
  friend bool operator==(const Alive&, const Alive&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Alive& alive) {
    return out << alive.nodes << " nodes, " << alive.blocks << " blocks, " << alive.bytes << " bytes";
  }
};

Alive alive() {
  const MemoryStats stats = memory_stats(cpu_device);
  return {live_nodes(), stats.live_blocks, stats.live_bytes};
}

/// Runs `step` ten times at a time until ten have asked the system for no memory. The first ones may, and now and then
/// a later one: as many threads as happen to be at work have workspaces at once.
template <class Step>
bool becomes_steady(Step step) {
  for (int tens = 0; tens < 20; ++tens) {
    const int64_t before = memory_stats(cpu_device).system_allocations;
    for (int i = 0; i < 10; ++i) step();
    if (memory_stats(cpu_device).system_allocations == before) return true;
  }
  return false;
}

TEST(Training, AThousandStepsLeaveWhatTenLeave) {
  const nn::Sequential model(nn::Conv2d(1, 4, 3, {.padding = 1}), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                             nn::Dropout(0.1), nn::Linear(4 * 16, 16), nn::ReLU(), nn::Linear(16, 10));
  const nn::CrossEntropyLoss criterion;
  optim::Adam optimizer(model.parameters());
  const Tensor images = counted({8, 1, 8, 8}), labels = tensor({0, 1, 2, 3, 4, 5, 6, 7});
  auto step = [&] {
    optimizer.zero_grad();
    criterion(model(images), labels).backward();
    nn::clip_grad_norm_(model.parameters(), 1);
    optimizer.step();
  };
  for (int i = 0; i < 10; ++i) step();
  const Alive after_ten = alive();
  for (int i = 0; i < 990; ++i) step();
  EXPECT_EQ(alive(), after_ten);
  EXPECT_TRUE(becomes_steady(step));
}

TEST(Training, SimpleCNNLearnsWithoutAskingTheSystem) {
  manual_seed(1);
  const models::SimpleCNN model;
  const nn::CrossEntropyLoss criterion;
  optim::Adam optimizer(model.parameters(), {.lr = 1e-3});
  const Tensor images = counted({32, 1, 28, 28}), labels = arange(32);
  for (int64_t& label : labels.span<int64_t>()) label %= 10;
  auto step = [&] {
    optimizer.zero_grad();
    const auto [output, embeddings] = model(images);
    const Tensor loss = criterion(output, labels);
    loss.backward();
    optimizer.step();
    return loss.item<double>();
  };
  const double first = step();
  const Alive after_one = alive();
  EXPECT_TRUE(becomes_steady(step));
  for (int i = 0; i < 30; ++i) step();  // it may have been steady at once
  EXPECT_LT(step(), first / 2);
  EXPECT_EQ(alive(), after_one);
}

TEST(Training, SameSeedSameBytes) {
  auto run = [] {
    manual_seed(7);
    const nn::Sequential model(nn::Linear(6, 16), nn::ReLU(), nn::Dropout(0.5), nn::Linear(16, 1));
    optim::SGD optimizer(model.parameters(), {.lr = 0.1, .momentum = 0.9});
    const nn::MSELoss criterion;
    for (uint64_t i = 0; i < 5; ++i) {
      optimizer.zero_grad();
      criterion(model(counted({4, 6}, i)), ones({4, 1})).backward();
      optimizer.step();
    }
    return model.state_dict();
  };
  const nn::StateDict a = run(), b = run();
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(testing::same_bytes(a[i].second, b[i].second)) << a[i].first;
}

}  // namespace
}  // namespace percale
