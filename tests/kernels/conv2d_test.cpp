// Convolutions in one piece and in steps: the same bytes, forwards and backwards.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../kernels/conv2d_pool/conv2d_pool.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/pooling/pooling.h"
#include "../../kernels/reduction/reduction.h"
#include "../testing/check.h"
#include "../testing/instruction_set.h"

namespace percale {
namespace {

struct Case {
  std::vector<int64_t> sizes;  ///< batch, channels, height, width, filters, kernel
  Conv2dOptions options;
  int64_t pool;
};

const std::vector<Case> cases = {
    {{64, 1, 28, 28, 32, 3}, {.padding = {1, 1}}, 2},
    {{64, 32, 14, 14, 64, 3}, {.padding = {1, 1}}, 2},
    {{1, 32, 14, 14, 64, 3}, {.padding = {1, 1}}, 2},
    {{5, 3, 19, 17, 20, 3}, {.stride = {2, 2}}, 2},
    {{3, 40, 13, 11, 24, 3}, {.padding = {1, 1}, .dilation = {2, 1}}, 2},
    {{2, 16, 13, 11, 24, 3}, {.padding = {1, 1}}, 3},
    {{4, 12, 9, 9, 8, 3}, {.padding = {1, 1}, .groups = 2}, 2},
    {{2, 24, 70, 66, 16, 5}, {.padding = {2, 2}}, 2},
    {{3, 3, 61, 90, 16, 5}, {.stride = {4, 4}, .padding = {2, 2}}, 2},
    {{2, 3, 23, 37, 37, 7}, {.stride = {2, 1}, .padding = {3, 1}, .dilation = {2, 1}}, 3},
};

Tensors inputs_of(const Case& c, Device device) {
  const Spec spec{.name = "conv2d",
                  .run = [](const Tensors& in) { return in[0]; },
                  .inputs = {real({"n", "c", "h", "w"}), real({"f", "g", "k", "k"}), real({"f"})}};
  Tensors inputs = testing::make_inputs(
      spec, {c.sizes[0], c.sizes[1], c.sizes[2], c.sizes[3], c.sizes[4], c.sizes[1] / c.options.groups, c.sizes[5]},
      f32, false, 7);
  for (Tensor& input : inputs) input = input.detach().to(device).requires_grad_();
  return inputs;
}

/// The result, and the gradients of the sum of its squares.
template <class Run>
Tensors results(const Case& c, Device device, Run run) {
  const Tensors in = inputs_of(c, device);
  const Tensor out = run(in);
  sum(out * out).backward();
  return {out, in[0].grad(), in[1].grad(), in[2].grad()};
}

void expect_same(const Tensors& found, const Tensors& expected, const char* what) {
  const char* names[] = {"the result", "the input's gradient", "the weight's gradient", "the bias's gradient"};
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_TRUE(testing::same_bytes(found[i], expected[i])) << what << ": " << names[i];
}

void expect_fusing_changes_nothing(Device device) {
  for (Case c : cases) {
    if (device.is_cuda()) c.sizes[0] = std::min<int64_t>(c.sizes[0], 2);  // enough for the emulator
    const auto fused = results(
        c, device, [&](const Tensors& in) { return conv2d_relu_max_pool2d(in[0], in[1], in[2], c.options, c.pool); });
    expect_same(
        fused,
        results(c, device,
                [&](const Tensors& in) { return max_pool2d(conv2d_relu(in[0], in[1], in[2], c.options), c.pool); }),
        "ReLU in the convolution");
    expect_same(
        fused,
        results(c, device,
                [&](const Tensors& in) { return max_pool2d(relu(conv2d(in[0], in[1], in[2], c.options)), c.pool); }),
        "step by step");
    expect_same(results(c, device, [&](const Tensors& in) { return conv2d_relu(in[0], in[1], in[2], c.options); }),
                results(c, device, [&](const Tensors& in) { return relu(conv2d(in[0], in[1], in[2], c.options)); }),
                "without a pool");
  }
}

TEST(Convolution, FusedIsStepByStep) { expect_fusing_changes_nothing(cpu_device); }

TEST(CudaConvolution, FusedIsStepByStep) {
  if (!cuda_available()) GTEST_SKIP() << "no CUDA device: " << reason_without_cuda();
  expect_fusing_changes_nothing(cuda_device);
}

TEST(Convolution, ThreadsChangeNothing) {
  const int threads = cpu::num_threads();
  for (const Case& c : cases) {
    const auto run = [&](int count) {
      cpu::set_num_threads(count);
      return results(c, cpu_device,
                     [&](const Tensors& in) { return conv2d_relu_max_pool2d(in[0], in[1], in[2], c.options, c.pool); });
    };
    expect_same(run(1), run(2), "one thread and two");
    expect_same(run(2), run(3), "two threads and three");
    const auto run_dense = [&](int count) {
      cpu::set_num_threads(count);
      return results(c, cpu_device, [&](const Tensors& in) { return conv2d_relu(in[0], in[1], in[2], c.options); });
    };
    expect_same(run_dense(1), run_dense(2), "one thread and two, without a pool");
  }
  cpu::set_num_threads(threads);
}

TEST(Convolution, InstructionSetsAgree) {
  const auto run = [](const Case& c) {
    return results(c, cpu_device,
                   [&](const Tensors& in) { return conv2d_relu_max_pool2d(in[0], in[1], in[2], c.options, c.pool); });
  };
  for (const Case& c : cases) {
    const Tensors expected = run(c);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
      const testing::InstructionSet only(target);
      const Tensors found = run(c);
      for (size_t i = 0; i < found.size(); ++i)
        EXPECT_LT(testing::relative_difference(found[i], expected[i]), 1e-5)
            << hwy::TargetName(target) << ", result " << i;
    }
  }
}

// What a pool or a ReLU must not hide.
TEST(Convolution, NanStays) {
  for (const int64_t channels : {1, 40})
    for (const int64_t place : {0, 1, 4, 5}) {
      const Tensor x = ones({1, channels, 4, 4}), weight = ones({18, channels, 1, 1});
      x.select(0, 0).select(0, 0).reshape({16}).select(0, place).fill_(std::nan(""));
      const Tensor whole = conv2d_relu(x, weight).contiguous(),
                   pooled = conv2d_relu_max_pool2d(x, weight, {}, {}, 2).contiguous();
      for (int64_t filter = 0; filter < 18; ++filter) {
        EXPECT_TRUE(std::isnan(whole.data<float>()[filter * 16 + place])) << "place " << place;
        EXPECT_TRUE(std::isnan(pooled.data<float>()[filter * 4])) << "place " << place;
        EXPECT_EQ(pooled.data<float>()[filter * 4 + 3], static_cast<float>(channels));
      }
    }
}

}  // namespace
}  // namespace percale
