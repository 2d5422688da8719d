// Three training steps as a profiler sees them: a range an operation, each gradient with its forward's number.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "../../core/autograd_node.h"
#include "../../kernels/fill/fill.h"
#include "../../nn/losses.h"
#include "../../nn/models/simple_cnn.h"
#include "../../nn/optim/adam.h"
#include "../testing/pushed_ranges.h"
#include "inputs.h"

namespace percale {
namespace {

#ifndef PERCALE_INJECTION
TEST(TrainingRanges, OneAnOperationAndGradientsWithTheirForwardsNumber) {
  GTEST_SKIP() << "NVTX's headers (nvtx3/nvToolsExt.h) were not found when this was configured";
}
#else
using Names = std::vector<std::string>;

/// The nodes that `loss` goes back through, the last recorded first; leaves left out.
std::vector<const Node*> recorded_nodes(const Tensor& loss) {
  std::set<const Node*> found;
  std::vector<const Node*> to_visit{AutogradAccess::part(loss)->node.get()};
  while (!to_visit.empty()) {
    const Node* node = to_visit.back();
    to_visit.pop_back();
    if (!node || node->sequence == 0 || !found.insert(node).second) continue;
    for (const Edge& edge : node->edges) to_visit.push_back(edge.node.get());
  }
  std::vector<const Node*> nodes(found.begin(), found.end());
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->sequence > b->sequence; });
  return nodes;
}

/// The ranges of a step whose operations were recorded as `nodes`: forward, backward, the optimizer's. A gradient's
/// range is its node's, with the node's number, and what it calls stands behind it.
Names expected_ranges(const std::vector<const Node*>& nodes) {
  const std::vector<std::pair<std::string, Names> > gradients{
      {"NllLossBackward0", {"percale::cross_entropy_gradient"}},
      {"AddmmBackward0", {"percale::full", "percale::matmul", "percale::matmul"}},  // ones for the bias's gradient
      {"ReluBackward0", {"percale::full", "percale::matmul", "percale::matmul"}},
      {"UnsafeViewBackward0", {}},
      {"MaxPool2DWithIndicesBackward0", {}},
      {"MaxPool2DWithIndicesBackward0", {}}};
  Names ranges{"percale::conv2d_relu_max_pool2d",
               "percale::conv2d_relu_max_pool2d",
               "percale::linear_relu",
               "percale::linear",
               "percale::cross_entropy",
               "percale::backward"};
  EXPECT_EQ(nodes.size(), gradients.size());
  for (size_t i = 0; i < std::min(nodes.size(), gradients.size()); ++i) {
    const auto& [name, calls] = gradients[i];
    EXPECT_EQ(nodes[i]->name, name);
    ranges.push_back("percale::" + name + ".backward#" + std::to_string(nodes[i]->sequence));
    ranges.insert(ranges.end(), calls.begin(), calls.end());
  }
  ranges.push_back("percale::adam_step");
  return ranges;
}

TEST(TrainingRanges, OneAnOperationAndGradientsWithTheirForwardsNumber) {
  ASSERT_TRUE(testing::injected);
  const models::SimpleCNN model;
  const nn::CrossEntropyLoss criterion;
  optim::Adam optimizer(model.parameters());
  const Tensor images = testing::counted({4, 1, 28, 28}), labels = tensor({3, 1, 4, 1});
  uint64_t last_number = 0;
  for (int step = 0; step < 4; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    const size_t before = testing::pushed_ranges().size();
    optimizer.zero_grad();
    const Tensor loss = criterion(model(images).first, labels);
    const std::vector<const Node*> nodes = recorded_nodes(loss);
    EXPECT_GT(nodes.back()->sequence, last_number) << "a number stands for one operation of one step";
    last_number = nodes.front()->sequence;
    const Names expected = expected_ranges(nodes);
    loss.backward();
    optimizer.step();
    if (step == 0) continue;  // in which Adam makes its moments

    const Names ranges = testing::pushed_ranges();
    EXPECT_EQ(Names(ranges.begin() + static_cast<int64_t>(before), ranges.end()), expected);
    EXPECT_EQ(testing::open_ranges(), 0);
  }
}
#endif

}  // namespace
}  // namespace percale
