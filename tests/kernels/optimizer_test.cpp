// What the optimizers' specs cannot say: steps in a captured graph, after an error, and with a gradient missing.
#include "../../kernels/optimizer/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/autograd.h"
#include "../../core/graph.h"
#include "../../core/rounded_copy.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/random/random.h"
#include "../testing/check.h"
#include "../testing/message_of.h"

#if PERCALE_HAS_CUDA
#include "../../core/cuda/error_word.h"
#endif

namespace percale {
namespace {

/// Two parameters, of which the second never gets a gradient, and Adam's state.
struct Model {
  explicit Model(Device device)
      : parameters{full({5, 3}, 1.5, {f32, device}), ones({7}, {f32, device})},
        gradients{full({5, 3}, 0.25, {f32, device}), Tensor()},
        first{zeros_like(parameters[0]), zeros_like(parameters[1])},
        second{zeros_like(parameters[0]), zeros_like(parameters[1])},
        rate(full({1}, 0.1, {f64, device})),
        steps(zeros({2}, {f64, device})) {}

  void step() { adam_step(parameters, gradients, first, second, {}, rate, steps); }

  Tensors parameters, gradients, first, second;
  Tensor rate, steps;
};

class OptimizerStep : public ::testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    if (device().is_cuda() && !cuda_available()) GTEST_SKIP() << "no CUDA device: " << reason_without_cuda();
  }
  Device device() const { return Device(GetParam()); }
};

TEST_P(OptimizerStep, LeavesParametersWithoutGradientAlone) {
  Model model(device());
  const uint64_t touched = model.parameters[0].version(), untouched = model.parameters[1].version();
  model.step();
  EXPECT_EQ(model.steps[0].item<double>(), 1);
  EXPECT_EQ(model.steps[1].item<double>(), 0);
  EXPECT_GT(model.parameters[0].version(), touched);
  EXPECT_EQ(model.parameters[1].version(), untouched);
  EXPECT_TRUE(testing::same_bytes(model.parameters[1], ones({7})));
  EXPECT_NEAR(model.parameters[0][0][0].item<double>(), 1.4,
              1e-6);  // Adam's first step is the learning rate, whatever the gradient
}

TEST_P(OptimizerStep, NoticesWhatBackwardStillNeeds) {
  const Tensor parameter = full({3}, 2, {f32, device()}).requires_grad_();
  const Tensor squared = record("SquareBackward0", parameter.detach().clone(), {parameter}, saved(parameter),
                                [](const Tensors&, const Saved& saved) -> Tensors { return {saved[0]}; });
  sgd_step({parameter}, {ones({3}, {f32, device()})}, {}, full({1}, 0.1, {f64, device()}), zeros({1}, {f64, device()}));
  const std::string error = testing::message_of([&] { squared.backward(ones({3}, {f32, device()})); });
  EXPECT_NE(error.find("written since by sgd_step"), std::string::npos) << error;
}

TEST_P(OptimizerStep, FollowsTheLearningRateInAGraph) {
  Model eager(device()), captured(device());
  auto step = Graph::capture([&] { captured.step(); }, device());
  for (const double rate : {0.1, 0.05, 0.2, 0.025, 0.4}) {
    eager.rate.fill_(rate);
    captured.rate.fill_(rate);
    eager.step();
    step();
  }
  EXPECT_EQ(captured.steps[0].item<double>(), 5);
  EXPECT_TRUE(testing::same_bytes(captured.parameters[0], eager.parameters[0]));
  EXPECT_TRUE(testing::same_bytes(captured.second[0], eager.second[0]));
}

TEST_P(OptimizerStep, TakesManyParameters) {
  Tensors parameters, gradients, buffers;
  for (int i = 0; i < 150; ++i) {
    parameters.push_back(full({i % 7, 11}, i, {f32, device()}));
    gradients.push_back(full({i % 7, 11}, 1, {f32, device()}));
    buffers.push_back(zeros_like(parameters.back()));
  }
  const Tensor steps = zeros({150}, {f64, device()});
  sgd_step(parameters, gradients, buffers, full({1}, 0.5, {f64, device()}), steps, {.momentum = 0.5});
  for (int i = 0; i < 150; ++i) {
    EXPECT_TRUE(testing::same_bytes(parameters[static_cast<size_t>(i)], full({i % 7, 11}, i - 0.5)));
    EXPECT_EQ(steps[i].item<double>(), 1);
  }
  EXPECT_FLOAT_EQ(gradient_norm(gradients).item<float>(), std::sqrt(11.f * (21 * 21 + 0 + 1 + 2)));
}

/// What is below it would be denormal, and becomes zero.
TEST_P(OptimizerStep, KeepsTheSmallestNormalMoment) {
  for (const auto& [dtype, smallest] : {std::pair{f32, 0x1p-126}, std::pair{f64, 0x1p-1022}}) {
    const TensorOptions options{dtype, device()};
    const Tensor parameter = ones({5}, options), gradient = zeros({5}, options), second = zeros({5}, options);
    const Tensor first = full({5}, 2 * smallest, options), rate = full({1}, 0.1, {f64, device()}),
                 steps = zeros_like(rate);
    for (const double expected : {smallest, 0.0}) {
      adam_step({parameter}, {gradient}, {first}, {second}, {}, rate, steps, {.beta1 = 0.5});
      EXPECT_EQ(first[0].item<double>(), expected);
      EXPECT_EQ(first[4].item<double>(), expected);
    }
  }
}

/// Steps of every optimizer on a parameter of many elements and on one of few, of which a copy in bf16 is kept.
TEST_P(OptimizerStep, WritesTheCopyInBf16Too) {
  const Tensors first = {rand({40, 129}, {f32, device()}), rand({3}, {f32, device()}), rand({7}, {f32, device()})};
  const Tensor rate = full({1}, 0.1, {f64, device()});
  const auto check = [&](auto step) {
    Tensors parameters, gradients;
    std::vector<Tensors> states(3);
    for (const Tensor& one : first) {
      parameters.push_back(one.clone());
      gradients.push_back(one * one);
      for (Tensors& state : states) state.push_back(zeros_like(one));
    }
    const Tensors copies = {rounded_copy(parameters[0]), rounded_copy(parameters[1])};
    const Tensor steps = zeros({3}, {f64, device()});
    for (int i = 0; i < 3; ++i) step(parameters, gradients, states, steps);
    for (size_t i = 0; i < copies.size(); ++i) {
      EXPECT_TRUE(parameters[i].storage()->has_rounded());  // so that nobody rounds it again
      EXPECT_TRUE(testing::same_bytes(copies[i], parameters[i].to(bf16)));
      EXPECT_FALSE(testing::same_bytes(copies[i], first[i].to(bf16)));
    }
    EXPECT_FALSE(parameters[2].storage()->rounded);
  };
  check([&](auto& p, auto& g, auto&, auto& steps) { sgd_step(p, g, {}, rate, steps); });
  check([&](auto& p, auto& g, auto& s, auto& steps) { sgd_step(p, g, s[0], rate, steps, {.momentum = 0.9}); });
  check([&](auto& p, auto& g, auto& s, auto& steps) { adagrad_step(p, g, s[0], rate, steps); });
  check([&](auto& p, auto& g, auto& s, auto& steps) { adam_step(p, g, s[0], s[1], {}, rate, steps); });
  check([&](auto& p, auto& g, auto& s, auto& steps) { adam_step(p, g, s[0], s[1], s[2], rate, steps); });
}

/// A copy that is behind stays so: only a whole rounding makes it one of the parameter's present value.
TEST_P(OptimizerStep, LeavesACopyThatIsBehindAlone) {
  Model model(device());
  const Tensor copy = rounded_copy(model.parameters[0]), before = copy.clone();
  model.parameters[0].fill_(2);
  model.step();
  EXPECT_TRUE(testing::same_bytes(copy, before));
  EXPECT_TRUE(testing::same_bytes(rounded_copy(model.parameters[0]), model.parameters[0].to(bf16)));
}

/// What a captured step reads in bf16 follows the parameter, whoever writes it.
TEST_P(OptimizerStep, KeepsTheCopyInBf16InAGraph) {
  Model eager(device()), captured(device());
  const Tensor eager_sum = zeros({5, 3}, {f32, device()}), captured_sum = zeros_like(eager_sum);
  const auto step_of = [](Model& model, const Tensor& sum) {
    sum += rounded_copy(model.parameters[0]).to(f32);
    model.step();
  };
  auto step = Graph::capture([&] { step_of(captured, captured_sum); }, device());
  for (int i = 0; i < 6; ++i) {
    if (i == 3)
      for (const Model* model : {&eager, &captured}) model->parameters[0].fill_(0.7);
    EXPECT_EQ(captured.parameters[0].storage()->has_rounded(), i != 0 && i != 3);
    step_of(eager, eager_sum);
    step();
  }
  EXPECT_TRUE(testing::same_bytes(captured_sum, eager_sum));
  EXPECT_TRUE(testing::same_bytes(rounded_copy(captured.parameters[0]), captured.parameters[0].to(bf16)));
}

#if PERCALE_HAS_CUDA
/// However often the step reads a weight in bf16 and writes it, a replay looks at it once.
TEST(CapturedStep, VisitsEachWeightOnceCuda) {
  if (!cuda_available()) GTEST_SKIP() << reason_without_cuda();
  const Tensor weight = ones({5}, {f32, cuda_device}), sum = zeros_like(weight);
  auto step = Graph::capture(
      [&] {
        for (int read = 0; read < 2; ++read) sum += rounded_copy(weight).to(f32);
        weight *= 0.5;
        weight += 1;
      },
      cuda_device);
  step();
  step();
  const uint64_t before = weight.storage()->version();
  step();
  EXPECT_EQ(weight.storage()->version(), before + 1);
  EXPECT_EQ(sum[4].item<double>(), 2 * (1 + 1.5 + 1.75));
}

TEST_P(OptimizerStep, DoesNothingAfterAnError) {
  if (!device().is_cuda()) GTEST_SKIP() << "errors are thrown at once on the CPU";
  Model model(device());
  const Tensor buffer = zeros_like(model.parameters[0]);
  fill(Tensor::from_blob(const_cast<uint64_t*>(&cuda::error_record()->operation), {1}, {i64, device()}), 3);
  model.step();
  sgd_step({model.parameters[0]}, {model.gradients[0]}, {buffer}, model.rate, model.steps.slice(0, 0, 1),
           {.momentum = 0.9});
  scale_to_norm(model.gradients, gradient_norm(model.gradients), 0.1);
  clamp_gradients(model.gradients, 0.1);
  fill(Tensor::from_blob(const_cast<uint64_t*>(&cuda::error_record()->operation), {1}, {i64, device()}), -1);
  const Model fresh(device());
  EXPECT_TRUE(testing::same_bytes(model.parameters[0], fresh.parameters[0]));
  EXPECT_TRUE(testing::same_bytes(model.gradients[0], fresh.gradients[0]));
  EXPECT_TRUE(testing::same_bytes(model.first[0], fresh.first[0]));
  EXPECT_TRUE(testing::same_bytes(model.second[0], fresh.second[0]));
  EXPECT_TRUE(testing::same_bytes(buffer, fresh.first[0]));
  EXPECT_TRUE(testing::same_bytes(model.steps, fresh.steps));
}
#endif

INSTANTIATE_TEST_SUITE_P(Cpu, OptimizerStep, ::testing::Values(cpu_device.type));
INSTANTIATE_TEST_SUITE_P(Cuda, OptimizerStep, ::testing::Values(cuda_device.type));

}  // namespace
}  // namespace percale
