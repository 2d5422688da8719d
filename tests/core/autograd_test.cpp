// The tape: recording, walking back, hooks, versions, second derivatives, leaks.
#include "../../core/autograd.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/reduction/reduction.h"
#include "../testing/check.h"
#include "../testing/message_of.h"

namespace percale {
namespace {

using testing::message_of;
using testing::same_bytes;

/// An operation of the test's own: x squared, with a gradient made of recorded operations.
Tensor times(const Tensor& a, const Tensor& b) {
  Tensor result = Tensor::empty_like(a);
  for (int64_t i = 0; i < a.numel(); ++i) result.data<float>()[i] = a.data<float>()[i] * b.data<float>()[i];
  return record("TimesBackward0", result, {a, b}, saved(a, b),
                [](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {saved.needs(0) ? times(gradients[0], saved[1]) : Tensor(),
                          saved.needs(1) ? times(gradients[0], saved[0]) : Tensor()};
                });
}

/// e^x, which saves its own output.
Tensor exponential(const Tensor& x) {
  Tensor result = Tensor::empty_like(x);
  for (int64_t i = 0; i < x.numel(); ++i) result.data<float>()[i] = std::exp(x.data<float>()[i]);
  return record(
      "ExponentialBackward0", result, {x}, saved(result),
      [](const Tensors& gradients, const Saved& saved) -> Tensors { return {times(gradients[0], saved[0])}; });
}

Tensor leaf(std::initializer_list<float> values) { return tensor(values).requires_grad_(); }

TEST(Autograd, SumsWhatArrives) {
  const Tensor x = leaf({3});
  const Tensor y = times(times(x, x), x);
  y.backward();
  EXPECT_EQ(x.grad().item<float>(), 27);
  times(x, x).backward();
  EXPECT_EQ(x.grad().item<float>(), 33);
  EXPECT_EQ(y.grad_fn(), "TimesBackward0");
  EXPECT_TRUE(x.is_leaf());
}

TEST(Autograd, GivesHigherDerivatives) {
  const Tensor x = leaf({2});
  const Tensor y = times(times(x, x), times(x, x));
  const Tensor first = grad({y}, {x}, {}, true, true)[0];
  EXPECT_EQ(first.item<float>(), 32);
  const Tensor second = grad({first}, {x}, {}, true, true)[0];
  EXPECT_EQ(second.item<float>(), 48);
  EXPECT_EQ(grad({second}, {x})[0].item<float>(), 48);
  EXPECT_FALSE(x.grad().defined());
}

/// L = sum(c x^2) over x expanded: its gradient is 2 x C with C the sum of c where x was repeated, and the gradient of
/// that one's squares is 8 x C^2. Whole numbers, so without rounding.
TEST(Autograd, DifferentiatesAnExpandedTensorTwice) {
  const Tensor x = tensor({{1, -2, 3}}).to(f32).view({1, 1, 3}).requires_grad_();
  const Tensor c = sub(arange(24, {f32, cpu_device}), 11).view({4, 2, 1, 3});
  const Tensor repeated = x.expand({4, 2, 1, 3});
  const Tensor loss = sum(mul(mul(repeated, repeated), c)), of_x = sum(c, {0, 1}).view({1, 1, 3});
  const Tensor first = grad({loss}, {x}, {}, true, true)[0];
  EXPECT_TRUE(same_bytes(first.detach(), mul(mul(x.detach(), of_x), 2)));
  const Tensor second = grad({sum(mul(first, first))}, {x})[0];
  EXPECT_TRUE(same_bytes(second.detach(), mul(mul(x.detach(), mul(of_x, of_x)), 8)));
  const Tensor scalar = full({}, 3).requires_grad_();
  EXPECT_EQ(grad({sum(mul(scalar.expand({5, 0}), 2))}, {scalar})[0].item<float>(), 0);
  EXPECT_EQ(grad({sum(mul(scalar.expand({5, 2}), 2))}, {scalar})[0].item<float>(), 20);
}

TEST(Autograd, DifferentiatesThroughASavedOutput) {
  const Tensor x = leaf({0});
  const Tensor y = exponential(times(x, x));
  const Tensor first = grad({y}, {x}, {}, true, true)[0];
  EXPECT_EQ(first.item<float>(), 0);
  EXPECT_EQ(grad({first}, {x})[0].item<float>(), 2);
}

TEST(Autograd, FreesWhatItHasUsed) {
  const Tensor x = leaf({3});
  const Tensor y = times(x, x);
  y.backward(Tensor(), true);
  y.backward();
  EXPECT_EQ(x.grad().item<float>(), 12);
  EXPECT_NE(message_of([&] { y.backward(); }).find("say retain_graph the first time"), std::string::npos);
}

TEST(Autograd, NamesBothOperationsWhenASavedValueHasChanged) {
  const Tensor x = leaf({3});
  const Tensor factor = tensor({2.f});
  const Tensor y = times(x, factor);
  factor.fill_(5);
  const std::string message = message_of([&] { y.backward(); });
  EXPECT_NE(message.find("[TimesBackward0]"), std::string::npos) << message;
  EXPECT_NE(message.find("written since by fill_"), std::string::npos) << message;
}

TEST(Autograd, RefusesInPlaceOnALeaf) {
  const Tensor x = leaf({3});
  EXPECT_NE(message_of([&] { x.fill_(1); }).find("cannot be written in place"), std::string::npos);
  const NoGradGuard guard;
  x.fill_(1);
  EXPECT_EQ(x.item<float>(), 1);
}

TEST(Autograd, RecordsNothingWithoutNeed) {
  const Tensor x = leaf({3}), plain = tensor({3.f});
  EXPECT_FALSE(times(plain, plain).requires_grad());
  const NoGradGuard guard;
  EXPECT_FALSE(times(x, x).requires_grad());
  EXPECT_FALSE(grad_enabled());
}

TEST(Autograd, HooksSeeAndChangeGradients) {
  const Tensor x = leaf({3});
  const Tensor y = times(x, x);
  float seen = 0;
  y.register_hook([&](const Tensor& gradient) {
    seen = gradient.item<float>();
    return full({1}, 10);
  });
  y.retain_grad();
  times(y, tensor({2.f})).backward();
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(y.grad().item<float>(), 10);
  EXPECT_EQ(x.grad().item<float>(), 60);
}

TEST(Autograd, GradientsOfTwoLeavesDoNotShareMemory) {
  const Tensor x = leaf({1}), y = leaf({1});
  Tensor both = Tensor::empty({1});
  copy(x.detach(), both);
  both = record("BothBackward0", both, {x, y}, {}, [](const Tensors& gradients, const Saved&) -> Tensors {
    return {gradients[0], gradients[0]};
  });
  both.backward();
  x.grad().fill_(5);
  EXPECT_EQ(y.grad().item<float>(), 1);
}

TEST(Autograd, GradientTakesItsParametersStrides) {
  Tensor images = Tensor::empty_channels_last({2, 3, 4, 5});
  images.fill_(1);
  images.requires_grad_();
  images.contiguous().backward(ones({2, 3, 4, 5}));
  EXPECT_EQ(images.grad().strides(), images.strides());
}

TEST(Autograd, SaysWhatWasNotUsed) {
  const Tensor x = leaf({1}), y = leaf({1});
  const Tensor z = times(x, x);
  EXPECT_NE(message_of([&] { grad({z}, {y}, {}, true); }).find("input 0 was not used"), std::string::npos);
  EXPECT_FALSE(grad({z}, {y}, {}, true, false, true)[0].defined());
  EXPECT_NE(message_of([&] { tensor({1.f}).backward(); }).find("does not require a gradient"), std::string::npos);
}

TEST(Autograd, LongChainsNeitherOverflowNorLeak) {
  const int64_t nodes = live_nodes(), blocks = memory_stats(cpu_device).live_blocks;
  {
    const Tensor x = leaf({1});
    Tensor y = x;
    for (int i = 0; i < 200000; ++i) y = y.clone();
    y.backward();
    EXPECT_EQ(x.grad().item<float>(), 1);
    Tensor unused = x;
    for (int i = 0; i < 200000; ++i) unused = unused.clone();
  }
  EXPECT_EQ(live_nodes(), nodes);
  EXPECT_EQ(memory_stats(cpu_device).live_blocks, blocks);
}

}  // namespace
}  // namespace percale
