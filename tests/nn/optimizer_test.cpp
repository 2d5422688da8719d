// Optimizers, schedules and clipping: what is not in the goldens.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "../../core/autograd.h"
#include "../../core/graph.h"
#include "../../kernels/fill/fill.h"
#include "../../nn/clip_grad.h"
#include "../../nn/init.h"
#include "../../nn/layers/linear.h"
#include "../../nn/optim/adagrad.h"
#include "../../nn/optim/adam.h"
#include "../../nn/optim/schedules.h"
#include "../../nn/optim/sgd.h"
#include "../testing/check.h"
#include "../testing/message_of.h"
#include "inputs.h"

namespace percale::optim {
namespace {

using testing::counted;
using testing::message_of;
using testing::same_bytes;

Tensor parameter(const Shape& shape = {3}) { return ones(shape).requires_grad_(); }

void give_gradients(const Tensors& parameters, uint64_t stream) {
  for (const Tensor& parameter : parameters) parameter.set_grad(counted(parameter.shape(), stream++));
}

TEST(Optimizer, ChecksItsOptions) {
  const Tensor p = parameter();
  EXPECT_EQ(message_of([] { SGD(Tensors{}); }), "[SGD] there are no parameters to optimize");
  EXPECT_EQ(message_of([&] { SGD({p}, {.lr = -1}); }), "[SGD] the learning rate cannot be negative, got -1");
  EXPECT_EQ(message_of([&] { SGD({p}, {.nesterov = true}); }),
            "[SGD] nesterov needs a momentum and no dampening, got 0 and 0");
  EXPECT_EQ(message_of([&] { Adam({p}, {.betas = {0.9, 1}}); }), "[Adam] betas must be in [0, 1), got 0.9 and 1");
  EXPECT_EQ(
      message_of([&] { Adagrad({p}, {.lr_decay = -1}); }),
      "[Adagrad] lr_decay, weight_decay, initial_accumulator_value and eps cannot be negative, got -1, 0, 0 and 1e-10");
  EXPECT_EQ(message_of([&] { AdamW({p, p}); }), "[AdamW] a parameter of shape [3] comes twice");
}

/// Where no gradient comes any more (a dead ReLU), a moment that stayed below the normal numbers would slow each step.
TEST(Optimizer, AdamsMomentsEndAtZeroAndNotBelowTheNormalNumbers) {
  const Tensor p = parameter({37});
  Adam optimizer({p});
  p.set_grad(full({37}, 1e-3));
  optimizer.step();
  p.set_grad(zeros({37}));
  for (int i = 0; i < 1000; ++i) {
    optimizer.step();
    for (const auto& [name, state] : optimizer.state_dict())
      if (name.ends_with("exp_avg")) {
        for (const float value : state.span<float>()) ASSERT_TRUE(value == 0 || std::isnormal(value)) << i;
      }
  }
  for (const auto& [name, state] : optimizer.state_dict())
    if (name.ends_with("exp_avg")) {
      EXPECT_EQ(state[36].item<float>(), 0);
    }
}

TEST(Optimizer, GroupsHaveRatesOfTheirOwn) {
  const Tensor fast = parameter(), slow = parameter();
  SGD optimizer(std::vector<ParameterGroup<SGDOptions>>{{{fast}, {.lr = 1}}, {{slow}, {.lr = 0.1}}});
  fast.set_grad(ones({3}));
  slow.set_grad(ones({3}));
  optimizer.step();
  EXPECT_FLOAT_EQ(fast[0].item<float>(), 0);
  EXPECT_FLOAT_EQ(slow[0].item<float>(), 0.9f);
  optimizer.set_lr(1, 0.4);
  optimizer.step();
  EXPECT_FLOAT_EQ(slow[0].item<float>(), 0.5f);
  EXPECT_EQ(optimizer.lr(0), 1);
  EXPECT_EQ(optimizer.lr(1), 0.4);
}

TEST(Optimizer, LeavesParametersWithoutGradientAlone) {
  const Tensor used = parameter(), unused = parameter();
  Adam optimizer({used, unused}, {.lr = 0.1, .weight_decay = 1});
  used.set_grad(ones({3}));
  optimizer.step();
  EXPECT_NE(used[0].item<float>(), 1);
  EXPECT_EQ(unused[0].item<float>(), 1);
}

TEST(Optimizer, ZeroGradForgetsOrFills) {
  const Tensor p = parameter();
  SGD optimizer({p});
  p.set_grad(ones({3}));
  optimizer.zero_grad(false);
  EXPECT_TRUE(same_bytes(p.grad(), zeros({3})));
  optimizer.zero_grad();
  EXPECT_FALSE(p.grad().defined());
}

/// A resumed run ends in the bytes of an uninterrupted one.
template <class Make>
void expect_resumes(Make make) {
  const Tensors whole = {parameter({4, 2}), parameter()}, first = {parameter({4, 2}), parameter()};
  auto straight = make(whole), before = make(first);
  for (uint64_t step = 0; step < 6; ++step) {
    give_gradients(whole, 10 * step);
    straight->step();
  }
  for (uint64_t step = 0; step < 3; ++step) {
    give_gradients(first, 10 * step);
    before->step();
  }
  before->set_lr(straight->lr());
  const nn::StateDict state = before->state_dict();
  const Tensors second = {first[0].detach().clone().requires_grad_(), first[1].detach().clone().requires_grad_()};
  auto after = make(second);
  after->load_state_dict(state);
  for (uint64_t step = 3; step < 6; ++step) {
    give_gradients(second, 10 * step);
    after->step();
  }
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(same_bytes(whole[i], second[i]));
}

TEST(Optimizer, ResumesFromItsState) {
  expect_resumes([](const Tensors& p) { return std::make_unique<SGD>(p, SGDOptions{.lr = 0.1, .momentum = 0.9}); });
  expect_resumes([](const Tensors& p) { return std::make_unique<Adam>(p, AdamOptions{.lr = 0.1, .amsgrad = true}); });
  expect_resumes([](const Tensors& p) { return std::make_unique<AdamW>(p); });
  expect_resumes([](const Tensors& p) {
    return std::make_unique<Adagrad>(p, AdagradOptions{.lr_decay = 0.5, .initial_accumulator_value = 0.25});
  });
}

TEST(Optimizer, StateHasNamesAndIsChecked) {
  const Tensor p = parameter();
  Adam adam({p}, {.lr = 0.25});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : adam.state_dict()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"group.0.lr", "group.0.steps", "state.0.exp_avg", "state.0.exp_avg_sq"}));
  Adam other({p}, {.amsgrad = true});
  EXPECT_EQ(message_of([&] { other.load_state_dict(adam.state_dict()); }),
            "[load_state_dict] Adam: missing: state.0.max_exp_avg_sq");
  Adam same({p});
  same.load_state_dict(adam.state_dict());
  EXPECT_EQ(same.lr(), 0.25);
}

TEST(Optimizer, StateHasItsParametersStridesAndIsSavedContiguous) {
  const Tensor p = counted({4, 3, 2, 2}).channels_last().requires_grad_();
  const Tensor q = p.detach().contiguous().requires_grad_();
  Adam in_order({q}), channels_last({p});
  for (uint64_t step = 0; step < 3; ++step) {
    give_gradients({q}, step);
    p.set_grad(q.grad().channels_last());
    in_order.step();
    channels_last.step();
  }
  EXPECT_TRUE(same_bytes(p, q));
  const nn::StateDict a = in_order.state_dict(), b = channels_last.state_dict();
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(b[i].second.is_contiguous());
    EXPECT_TRUE(same_bytes(a[i].second, b[i].second)) << a[i].first;
  }
}

TEST(Optimizer, RatesAreNotSetInsideACapturedStep) {
  const Tensor p = parameter();
  SGD optimizer({p});
  const StepLog recording;
  EXPECT_NE(message_of([&] { optimizer.set_lr(1); }).find("inside a captured step"), std::string::npos);
}

TEST(Optimizer, CudaCapturedStepsEqualEagerOnes) {
  if (!cuda_available()) GTEST_SKIP() << reason_without_cuda();
  const Tensor x = counted({16, 8}).to(cuda_device);
  auto run = [&](bool enabled) {
    const nn::Linear model(8, 4);
    nn::init::constant_(model.weight, 0.25);
    nn::init::constant_(model.bias, 0);
    model.to(cuda_device);
    Adam optimizer(model.parameters(), {.lr = 0.1});
    CosineAnnealingLR schedule(optimizer, 20);
    auto step = Graph::capture(
        [&] {
          optimizer.zero_grad();
          const Tensor y = model(x);
          y.backward(y.detach());
          optimizer.step();
        },
        cuda_device, enabled);
    for (int i = 0; i < 10; ++i) {
      step();
      schedule.step();
    }
    return model.weight.detach().to(cpu_device);
  };
  EXPECT_TRUE(same_bytes(run(true), run(false)));
}

TEST(Schedule, StartsFromTheRateThatTheFirstScheduleFound) {
  const Tensor p = parameter();
  SGD optimizer({p}, {.lr = 0.1});
  LinearLR warm_up(optimizer, {.start_factor = 0.1, .total_iters = 4});
  CosineAnnealingLR down(optimizer, 10);
  SequentialLR schedule(optimizer, {&warm_up, &down}, {4});
  std::vector<double> rates;
  for (int i = 0; i < 14; ++i, schedule.step()) rates.push_back(optimizer.lr());
  EXPECT_NEAR(rates[0], 0.01, 1e-15);
  EXPECT_NEAR(rates[2], 0.055, 1e-15);
  EXPECT_NEAR(rates[4], 0.1, 1e-15);
  EXPECT_NEAR(rates[9], 0.05, 1e-15);
  EXPECT_NEAR(rates[13], 0.05 * (1 + std::cos(std::numbers::pi * 0.9)), 1e-15);
}

TEST(Schedule, ResumesFromItsState) {
  const Tensor p = parameter();
  SGD optimizer({p}, {.lr = 0.1}), resumed({p}, {.lr = 0.5});
  StepLR schedule(optimizer, 2, 0.5), other(resumed, 2, 0.5);
  for (int i = 0; i < 5; ++i) schedule.step();
  other.load_state_dict(schedule.state_dict());
  EXPECT_EQ(other.last_epoch(), 5);
  EXPECT_EQ(resumed.lr(), optimizer.lr());
  other.step();
  schedule.step();
  EXPECT_EQ(resumed.lr(), optimizer.lr());
}

TEST(Schedule, OneCycleEnds) {
  const Tensor p = parameter();
  SGD optimizer({p});
  OneCycleLR schedule(optimizer, {.max_lr = 1, .total_steps = 10});
  for (int i = 0; i < 10; ++i) schedule.step();
  EXPECT_EQ(message_of([&] { schedule.step(); }), "[OneCycleLR] step 11 of 10");
}

TEST(ClipGrad, LeavesWhatIsWithinBounds) {
  const Tensor p = parameter({2}), none = parameter({2});
  p.set_grad(tensor({3.f, 4.f}));
  EXPECT_FLOAT_EQ(nn::clip_grad_norm_({p, none}, 10).item<float>(), 5);
  EXPECT_TRUE(same_bytes(p.grad(), tensor({3.f, 4.f})));
  nn::clip_grad_value_({p, none}, 3.5);
  EXPECT_TRUE(same_bytes(p.grad(), tensor({3.f, 3.5f})));
  EXPECT_EQ(nn::clip_grad_norm_({none}, 1).item<float>(), 0);
}

}  // namespace
}  // namespace percale::optim
