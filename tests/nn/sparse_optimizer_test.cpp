// Training of tables by the rows that were used: what the goldens and the specs cannot say.
#include <gtest/gtest.h>

#include <memory>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../core/graph.h"
#include "../../kernels/embedding/embedding.h"
#include "../../kernels/fill/fill.h"
#include "../../nn/clip_grad.h"
#include "../../nn/layers/embedding.h"
#include "../../nn/optim/adagrad.h"
#include "../../nn/optim/adam.h"
#include "../../nn/optim/sgd.h"
#include "../testing/check.h"
#include "../testing/message_of.h"
#include "inputs.h"

namespace percale::optim {
namespace {

using testing::counted;
using testing::message_of;
using testing::same_bytes;

Tensor table(int64_t rows = 40, int64_t width = 5, Device device = cpu_device) {
  return counted({rows, width}, 3).to(device).requires_grad_();
}

/// Entries that leave out the rows from `used` on.
Tensor entries(int64_t count, int64_t used, uint64_t stream, Device device = cpu_device) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < count; ++i)
    index.push_back(
        static_cast<int64_t>(goldens::bits(stream, static_cast<uint64_t>(i)) % static_cast<uint64_t>(used)));
  return from_vector(index, {count}, device);
}

void use(const Tensor& weights, const Tensor& index, bool sparse, uint64_t stream) {
  const Tensor upstream = counted({index.numel(), weights.size(1)}, stream).to(weights.device());
  embedding(weights, index, {.sparse = sparse}).backward(upstream);
}

using Make = std::function<std::unique_ptr<Optimizer>(const Tensors&)>;

template <class Kind, class Options>
Make make(Options options) {
  return [options](const Tensors& parameters) { return std::make_unique<Kind>(parameters, options); };
}

std::vector<std::pair<const char*, Make>> all_optimizers() {
  return {{"SGD", make<SGD>(SGDOptions{.lr = 0.1})},
          {"momentum", make<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true})},
          {"Adagrad", make<Adagrad>(AdagradOptions{.lr_decay = 0.1, .initial_accumulator_value = 0.25})},
          {"Adam", make<Adam>(AdamOptions{.lr = 0.1, .amsgrad = true})},
          {"AdamW", make<AdamW>(AdamWOptions{.lr = 0.1})}};
}

/// The table after some steps in which every fourth row or so is used, and the optimizer's state.
nn::StateDict trained(const Make& make_optimizer, bool sparse, int64_t used, Device device = cpu_device) {
  const Tensor weights = table(40, 5, device);
  const auto optimizer = make_optimizer({weights});
  for (uint64_t step = 0; step < 4; ++step) {
    optimizer->zero_grad();
    use(weights, entries(used == 40 ? 400 : 30, used, 100 + step, device), sparse, 200 + step);
    optimizer->step();
  }
  nn::StateDict state = optimizer->state_dict();
  state.emplace_back("table", weights.detach().to(cpu_device));
  return state;
}

void expect_same(const nn::StateDict& a, const nn::StateDict& b, const char* what) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_bytes(a[i].second, b[i].second)) << what << ", " << a[i].first;
}

TEST(SparseOptimizer, IsTheDenseStepWhereEveryRowIsUsed) {
  for (const auto& [name, optimizer] : all_optimizers())
    expect_same(trained(optimizer, true, 40), trained(optimizer, false, 40), name);
}

TEST(SparseOptimizer, IsTheDenseStepWhereNothingFades) {
  for (const auto& [name, optimizer] : all_optimizers())
    if (name == std::string("SGD") || name == std::string("Adagrad"))
      expect_same(trained(optimizer, true, 11), trained(optimizer, false, 11), name);
}

TEST(SparseOptimizer, LeavesUnusedRowsAndTheirStateAlone) {
  const Tensor before = table().detach();
  for (const auto& [name, optimizer] : all_optimizers()) {
    for (const auto& [what, tensor] : trained(optimizer, true, 11)) {
      if (tensor.rank() != 2) continue;
      const Tensor unused = tensor.slice(0, 11), used = tensor.slice(0, 0, 11);
      const Tensor first = what == "table" ? before : full(tensor.shape(), std::string(name) == "Adagrad" ? 0.25 : 0.0);
      EXPECT_TRUE(same_bytes(unused, first.slice(0, 11))) << name << ", " << what;
      EXPECT_FALSE(same_bytes(used, first.slice(0, 0, 11))) << name << ", " << what;
    }
  }
}

TEST(SparseOptimizer, GivesTheSameBytesAtAnyNumberOfThreads) {
  const int before = cpu::num_threads();
  auto run = [](int threads) {
    cpu::set_num_threads(threads);
    const Tensor weights = table(3000, 24);
    Adam optimizer({weights});
    use(weights, entries(20'000, 2500, 7), true, 8);
    optimizer.step();
    return weights.detach();
  };
  const Tensor one = run(1), two = run(2), three = run(3);
  cpu::set_num_threads(before);
  EXPECT_TRUE(same_bytes(one, two));
  EXPECT_TRUE(same_bytes(one, three));
}

TEST(SparseOptimizer, SumsWhatSeveralUsesAndPassesBring) {
  const Tensor apart = table(), together = table();
  const Tensor a = entries(9, 11, 1), b = entries(6, 11, 2);
  Adam first({apart}), second({together});
  use(apart, a, true, 3);
  use(apart, b.to(i32), true, 4);
  first.step();
  std::vector<int64_t> joined(a.span<int64_t>().begin(), a.span<int64_t>().end());
  joined.insert(joined.end(), b.span<int64_t>().begin(), b.span<int64_t>().end());
  const Tensor upstream = Tensor::empty({15, 5});
  upstream.slice(0, 0, 9).copy_(counted({9, 5}, 3));
  upstream.slice(0, 9).copy_(counted({6, 5}, 4));
  embedding(together, from_vector(joined, {15}), {.sparse = true}).backward(upstream);
  second.step();
  EXPECT_TRUE(same_bytes(apart, together));
}

TEST(SparseOptimizer, NeverMakesADenseGradientAndForgetsItsRows) {
  const nn::Embedding layer(40, 5, {.padding_idx = 2, .sparse = true});
  SGD optimizer(layer.parameters(), {.lr = 1});
  const Tensor before = layer.weight.detach().clone();
  layer(tensor({1, 2, 2, 3})).backward(ones({4, 5}));
  EXPECT_FALSE(layer.weight.grad().defined());
  EXPECT_EQ(row_gradients(layer.weight).size(), 1u);
  optimizer.step();
  EXPECT_TRUE(same_bytes(layer.weight.detach()[2], before[2]));
  EXPECT_FALSE(same_bytes(layer.weight.detach()[3], before[3]));
  optimizer.zero_grad();
  EXPECT_TRUE(row_gradients(layer.weight).empty());
  const Tensor after = layer.weight.detach().clone();
  optimizer.step();
  EXPECT_TRUE(same_bytes(layer.weight.detach(), after));
  layer(tensor({1})).backward(ones({1, 5}));
  layer.zero_grad();
  EXPECT_TRUE(row_gradients(layer.weight).empty());
}

TEST(SparseOptimizer, StandsBesideDenseParameters) {
  const Tensor weights = table(), other = ones({3}).requires_grad_();
  Adam optimizer({other, weights}, {.lr = 0.1});
  use(weights, tensor({4}), true, 1);
  optimizer.step();
  EXPECT_TRUE(same_bytes(other, ones({3})));
  other.set_grad(ones({3}));
  optimizer.step();
  EXPECT_FALSE(same_bytes(other, ones({3})));
  const Tensor steps = optimizer.state_dict()[1].second;
  EXPECT_EQ(steps[0].item<double>(), 1);
  EXPECT_EQ(steps[1].item<double>(), 2);
}

TEST(SparseOptimizer, NamesWhatCannotBe) {
  const Tensor weights = table();
  SGD optimizer({weights});
  use(weights, tensor({4}), true, 1);
  EXPECT_EQ(message_of([&] { nn::clip_grad_norm_({weights}, 1); }),
            "[clip_grad_norm_] the gradient of a table of shape [40, 5] is row-sparse, and cannot be clipped");
  EXPECT_EQ(message_of([&] { nn::clip_grad_value_({weights}, 1); }),
            "[clip_grad_value_] the gradient of a table of shape [40, 5] is row-sparse, and cannot be clipped");
  use(weights, tensor({4}), false, 1);
  EXPECT_EQ(message_of([&] { optimizer.step(); }),
            "[SGD] a table of shape [40, 5] has both a dense and a row-sparse gradient");
}

TEST(SparseOptimizer, CudaCapturedStepsEqualEagerOnes) {
  if (!cuda_available()) GTEST_SKIP() << "no CUDA device: " << reason_without_cuda();
  auto run = [](bool graph) {
    const Tensor weights = table(40, 5, cuda_device), index = entries(60, 11, 5, cuda_device);
    const Tensor upstream = counted({60, 5}, 6).to(cuda_device);
    Adam optimizer({weights}, {.lr = 0.1});
    auto step = Graph::capture(
        [&] {
          optimizer.zero_grad();
          embedding(weights, index, {.sparse = true}).backward(upstream);
          optimizer.step();
        },
        cuda_device, graph);
    for (int i = 0; i < 4; ++i) step();
    return weights.detach().to(cpu_device);
  };
  EXPECT_TRUE(same_bytes(run(true), run(false)));
}

TEST(SparseOptimizer, CudaDoesNothingAfterABadIndex) {
  if (!cuda_available()) GTEST_SKIP() << "no CUDA device: " << reason_without_cuda();
  const Tensor weights = table(40, 5, cuda_device);
  Adam optimizer({weights}, {.lr = 0.1});
  use(weights, tensor({1, 2}, cuda_device), true, 1);
  optimizer.step();
  const nn::StateDict before = optimizer.state_dict();
  const Tensor rows_before = weights.detach().to(cpu_device);
  optimizer.zero_grad();
  use(weights, tensor({1, 40}, cuda_device), true, 2);
  optimizer.step();
  EXPECT_EQ(message_of([&] { weights.detach().to(cpu_device); }),
            "[embedding] index 40 at position 1 is out of range for a table of 40 rows");
  EXPECT_TRUE(same_bytes(weights.detach().to(cpu_device), rows_before));
  expect_same(optimizer.state_dict(), before, "Adam");
}

}  // namespace
}  // namespace percale::optim
