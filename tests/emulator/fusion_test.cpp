// The same layers where NVIDIA's libraries fuse bias and ReLU, and where they refuse to.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "../../kernels/conv2d/conv2d.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/linear/linear.h"
#include "../testing/check.h"
#include "emulator.h"

namespace percale {
namespace {

/// Integers from -3 to 3: every product and sum is exact in every dtype.
Tensor integers(const Shape& shape, DType dtype, int64_t factor) {
  Tensor values = Tensor::empty(shape, {f32, cpu_device});
  for (int64_t i = 0; i < values.numel(); ++i) values.data<float>()[i] = static_cast<float>(i * factor % 7 - 3);
  return values.to(dtype).to(cuda_device);
}

/// What `layer` gives on the CPU, fused and unfused.
template <class Layer>
void expect_same(Layer layer) {
  const Tensor fused = layer().to(cpu_device).to(f32).contiguous();
  emulator::set_refuses_fusion(true);
  const Tensor unfused = layer().to(cpu_device).to(f32).contiguous();
  emulator::set_refuses_fusion(false);
  ASSERT_EQ(fused.shape(), unfused.shape());
  float largest = 0;
  for (int64_t i = 0; i < fused.numel(); ++i) {
    ASSERT_EQ(fused.data<float>()[i], unfused.data<float>()[i]) << "element " << i;
    largest = std::max(largest, fused.data<float>()[i]);
  }
  EXPECT_GT(largest, 0);
}

TEST(Fusion, RefusedLinearIsFinished) {
  for (const DType dtype : {f32, f16, bf16}) {
    const Tensor x = integers({130, 9}, dtype, 3), weight = integers({6, 9}, dtype, 5), bias = integers({6}, dtype, 2);
    expect_same([&] { return linear(x, weight); });
    expect_same([&] { return linear(x, weight, bias); });
    expect_same([&] { return linear_relu(x, weight); });
    expect_same([&] { return linear_relu(x, weight, bias); });
  }
}

TEST(Fusion, RefusedConvolutionIsFinished) {
  for (const DType dtype : {f32, f16, bf16}) {
    const Tensor x = integers({2, 3, 5, 4}, dtype, 3), weight = integers({6, 3, 2, 2}, dtype, 5),
                 bias = integers({6}, dtype, 2);
    expect_same([&] { return conv2d(x, weight); });
    expect_same([&] { return conv2d(x, weight, bias); });
    expect_same([&] { return conv2d_relu(x, weight); });
    expect_same([&] { return conv2d_relu(x, weight, bias); });
  }
}

TEST(Fusion, NanStaysWhereTheCallerFinishes) {
  emulator::set_refuses_fusion(true);
  const Tensor x = full({130, 9}, std::nan(""), {f32, cuda_device}), weight = integers({6, 9}, f32, 5);
  const Tensor result = linear_relu(x, weight, integers({6}, f32, 2)).to(cpu_device);
  emulator::set_refuses_fusion(false);
  for (int64_t i = 0; i < result.numel(); ++i) ASSERT_TRUE(std::isnan(result.data<float>()[i])) << "element " << i;
}

}  // namespace
}  // namespace percale
