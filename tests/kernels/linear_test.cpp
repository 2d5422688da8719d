// What specs do not say of linear and matmul: bytes that depend on nothing but the operands, names, packing, NaN.
#include "../../kernels/linear/linear.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "../../core/autograd.h"
#include "../../core/cpu/onednn.h"
#include "../../core/cpu/threads.h"
#include "../../core/precision.h"
#include "../../core/primitives.h"
#include "../../kernels/common/product.h"
#include "../../kernels/common/rounded_weight.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/matmul/matmul.h"
#include "../testing/check.h"
#include "../testing/instruction_set.h"
#include "../testing/message_of.h"

namespace percale {
namespace {

using testing::message_of;
using testing::same_bytes;

Tensor numbers(const Shape& shape, double seed, DType dtype = f32) {
  Tensor result = Tensor::empty(shape, {f32, cpu_device});
  for (int64_t i = 0; i < result.numel(); ++i)
    result.data<float>()[i] = static_cast<float>(std::sin(seed + 1.7 * static_cast<double>(i)));
  return result.to(dtype);
}

TEST(Linear, RowsDoNotDependOnTheirNumber) {
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{3136, 128}, {784, 128}, {128, 10}, {300, 70}, {33, 1}})
    for (const DType dtype : {f32, f64, bf16, f16}) {
      const Tensor weight = numbers({out, in}, 1, dtype), bias = numbers({out}, 2, dtype),
                   x = numbers({257, in}, 3, dtype);
      const NoGradGuard no_grad;
      const Tensor whole = linear_relu(x, weight, bias);
      for (const int64_t rows : {1, 2, 3, 7, 8, 9, 31, 64, 65, 130, 256})
        EXPECT_TRUE(same_bytes(linear_relu(x.slice(0, 5, 5 + rows), weight, bias),
                               whole.slice(0, 5, 5 + rows).slice(0, 0, rows)))
            << rows << " rows of " << in << " to " << out << " in " << text(dtype);
    }
}

// All of bfloat16's numbers from -20 to 20, through a product that gives them back.
TEST(Linear, GeluInBf16IsRoundedFromTheExactOne) {
  const NoGradGuard no_grad;
  std::vector<float> values = {INFINITY, NAN, -0.0f};
  for (uint32_t bits = 0; bits <= 0xffff; ++bits)
    if (const float value = std::bit_cast<float>(bits << 16); std::abs(value) <= 20) values.push_back(value);
  const Tensor x = Tensor::from_blob(values.data(), {std::ssize(values), 1}, {f32, cpu_device}).to(bf16);
  const Tensor y = linear_gelu(x, ones({1, 1}, {bf16, cpu_device}), zeros({1}, {bf16, cpu_device})).to(f32);
  int64_t wrong = 0;
  for (size_t i = 3; i < values.size(); ++i) {
    const double v = values[i], exact = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
    const double found = y.data<float>()[i];
    // Half a step of bfloat16, and 0.14 % of the fit; 2e-9 where that is more, which it is below -5.
    wrong += !(std::abs(found - exact) <= std::max(std::abs(exact) * (0x1p-8 + 0.0014), 2e-9));
  }
  EXPECT_EQ(wrong, 0) << "of " << values.size();
  EXPECT_EQ(y.data<float>()[0], INFINITY);
  EXPECT_TRUE(std::isnan(y.data<float>()[1]));
}

TEST(Linear, BytesDoNotDependOnThreads) {
  const int threads = cpu::num_threads();
  for (const auto& [rows, in, out] :
       {std::tuple<int64_t, int64_t, int64_t>{64, 3136, 128}, {1, 1024, 512}, {3000, 40, 20}, {64, 128, 10}}) {
    Tensors results[3];
    for (int i = 0; i < 3; ++i) {
      cpu::set_num_threads(i + 1);
      const Tensor x = numbers({rows, in}, 1).requires_grad_(), weight = numbers({out, in}, 2).requires_grad_(),
                   bias = numbers({out}, 3).requires_grad_();
      const Tensor y = linear_relu(x, weight, bias);
      y.backward(numbers({rows, out}, 4));
      results[i] = {y, x.grad(), weight.grad(), bias.grad()};
    }
    for (int i = 1; i < 3; ++i)
      for (size_t k = 0; k < 4; ++k)
        EXPECT_TRUE(same_bytes(results[i][k], results[0][k])) << "result " << k << " of " << rows << " rows";
  }
  cpu::set_num_threads(threads);
}

TEST(Linear, BytesDoNotDependOnTheInstructionSet) {
  const Tensor x = numbers({70, 333}, 1), weight = numbers({75, 333}, 2), bias = numbers({75}, 3);
  const NoGradGuard no_grad;
  auto results = [&]() -> Tensors {
    return {linear_relu(x, weight, bias),
            linear(x.slice(0, 0, 1), weight),
            matmul(x, weight.t()),
            matmul(x.slice(0, 3, 4), x.t()),
            matmul(weight.t(), weight),
            matmul(x.to(f64), weight.to(f64).t()),
            linear(x.slice(0, 0, 1).to(f64), weight.to(f64))};
  };
  testing::expect_same_bytes_on_any_processor(results);
}

TEST(Linear, PackedWeightsGiveTheSameBytesAndFollowTheirVersion) {
  const Tensor x = numbers({40, 500}, 1), weight = numbers({77, 500}, 2), bias = numbers({77}, 3);
  weight.requires_grad_();
  const Tensor trained = linear(x, weight, bias);
  const NoGradGuard no_grad;
  EXPECT_TRUE(same_bytes(linear(x, weight, bias), trained));
  EXPECT_TRUE(same_bytes(linear(x, weight, bias), trained));
  weight.copy_(numbers({77, 500}, 4));
  EXPECT_TRUE(same_bytes(linear(x, weight, bias), linear(x, numbers({77, 500}, 4), bias)));
}

TEST(Linear, FusedGivesTheBytesOfUnfused) {
  for (const Device device : {cpu_device, cuda_device}) {
    if (device.is_cuda() && !cuda_available()) continue;
    for (const DType dtype : {f32, f64, bf16})
      for (const int64_t rows : {1, 30, 100}) {
        Tensors results[2];
        for (const bool fused : {false, true}) {
          const Tensor x = numbers({rows, 50}, 1, dtype).to(device).requires_grad_(),
                       bias = numbers({20}, 3, dtype).to(device).requires_grad_();
          const Tensor weight = numbers({20, 50}, 2, dtype).to(device).requires_grad_();
          const Tensor y = fused ? linear_relu(x, weight, bias) : relu(linear(x, weight, bias));
          y.backward(numbers({rows, 20}, 4, dtype).to(device));
          results[fused] = {y, x.grad(), weight.grad(), bias.grad()};
        }
        for (size_t i = 0; i < 4; ++i)
          EXPECT_TRUE(same_bytes(results[1][i], results[0][i]))
              << "result " << i << " of " << rows << " rows in " << text(dtype) << " on " << text(device);
      }
  }
}

TEST(Linear, PrecisionGuardRoundsOperandsAndKeepsParametersGradients) {
  for (const Device device : {cpu_device, cuda_device}) {
    if (device.is_cuda() && !cuda_available()) continue;
    const PrecisionScope scope(Precision::bf16);  // a processor without it emulates it
    const Tensor x = numbers({20, 30}, 1).to(device).requires_grad_(),
                 weight = numbers({10, 30}, 2).to(device).requires_grad_();
    const Tensor y = linear_relu(linear(x, weight, numbers({10}, 3).to(device)), numbers({5, 10}, 4).to(device));
    EXPECT_EQ(y.dtype(), bf16);
    y.backward(ones({20, 5}, {bf16, device}));
    EXPECT_EQ(weight.grad().dtype(), f32);
    EXPECT_EQ(matmul(x.t(), y.detach()).dtype(), bf16);
  }
}

// A forward pass casts no weight that an earlier one has cast, and every weight that was written since.
TEST(Linear, RoundedWeightsAreKeptUntilTheyAreWritten) {
  const NoGradGuard no_grad;
  for (const Device device : {cpu_device, cuda_device}) {
    if (device.is_cuda() && !cuda_available()) continue;
    const Tensor weight = numbers({4, 6}, 1).to(device), first = rounded_weight(weight);
    EXPECT_TRUE(same_bytes(first, weight.to(bf16)));
    const uint64_t version = first.version();
    EXPECT_EQ(rounded_weight(weight.t()).data(), first.data());
    EXPECT_EQ(first.version(), version);
    weight.fill_(3);
    EXPECT_TRUE(same_bytes(rounded_weight(weight), full({4, 6}, 3, {bf16, device})));
    EXPECT_EQ(rounded_weight(weight).data(), first.data());
    const Tensor part = weight.slice(1, 1, 5);  // of more memory: a copy of its own
    EXPECT_TRUE(same_bytes(rounded_weight(part), full({4, 4}, 3, {bf16, device})));
    EXPECT_NE(rounded_weight(part).data(), first.data());
  }
}

TEST(Linear, BackwardOverAWeightThatWasRoundedAgainIsAnError) {
  for (const Device device : {cpu_device, cuda_device}) {
    if (device.is_cuda() && !cuda_available()) continue;
    const Tensor weight = numbers({4, 6}, 1).to(device).requires_grad_(), x = numbers({2, 6}, 2).to(device);
    const PrecisionScope scope(Precision::bf16);
    const Tensor y = linear(x.requires_grad_(), weight);
    {
      const NoGradGuard no_grad;
      weight.fill_(3);
      linear(x, weight);
    }
    EXPECT_NE(message_of([&] {
                y.backward(ones({2, 4}, {bf16, device}));
              }).find("written since by rounding"),
              std::string::npos);
  }
}

TEST(Linear, NanPassesReluAndItsGradient) {
  const Tensor x = full({2, 3}, std::nan("")).requires_grad_(), weight = ones({4, 3});
  const Tensor y = linear_relu(x, weight);
  EXPECT_TRUE(std::isnan(y.select(0, 1).select(0, 2).item<double>()));
  y.backward(ones({2, 4}));
  EXPECT_EQ(x.grad().select(0, 0).select(0, 0).item<double>(), 4);
}

TEST(Linear, GradientHasItsWeightsLayoutAndNoCopy) {
  const Tensor x = numbers({5, 6}, 1), weight = numbers({3, 6}, 2).requires_grad_(),
               bias = numbers({3}, 3).requires_grad_();
  linear_relu(x, weight, bias).backward(ones({5, 3}));
  EXPECT_TRUE(weight.grad().is_contiguous());
  EXPECT_TRUE(bias.grad().is_contiguous());
}

// oneDNN computes with bf16 wherever there is AVX-512; products go there only where the processor does so itself.
TEST(Matmul, PiecesOfBf16AgreeWithF32) {
  if (!cpu::onednn_computes(bf16)) GTEST_SKIP() << "oneDNN does not compute with bf16 here";
  for (const auto& [rows, depth, columns] :
       {std::tuple<int64_t, int64_t, int64_t>{64, 96, 33}, {1, 40, 70}, {130, 17, 300}}) {
    const Tensor x = numbers({rows, depth}, 1, bf16), weight = numbers({columns, depth}, 2, bf16),
                 bias = numbers({columns}, 3, bf16);
    const Tensor out = Tensor::empty({rows, columns}, {bf16, cpu_device});
    cpu::Product product{.dtype = bf16, .rows = rows, .columns = columns, .depth = depth};
    product.left = x.data();
    product.left_row_step = depth;
    product.left_depth_step = 1;
    product.right = weight.data();
    product.right_depth_step = 1;
    product.right_column_step = depth;
    product.out = out.data();
    product.out_row_step = columns;
    product.bias = bias.data();
    product.activation = Activation::relu;
    cpu::multiply(product);
    EXPECT_LE(testing::relative_difference(out, linear_relu(x.to(f32), weight.to(f32), bias.to(f32))), 1e-2);
  }
}

TEST(Matmul, NamesAreThoseOfPyTorch) {
  auto name = [](const Shape& a, const Shape& b) {
    return matmul(numbers(a, 1).requires_grad_(), numbers(b, 2).requires_grad_()).grad_fn();
  };
  EXPECT_EQ(name({5}, {5}), "DotBackward0");
  EXPECT_EQ(name({3, 5}, {5}), "MvBackward0");
  EXPECT_EQ(name({5}, {5, 4}), "SqueezeBackward4");
  EXPECT_EQ(name({3, 5}, {5, 4}), "MmBackward0");
  EXPECT_EQ(name({2, 3, 5}, {2, 5, 4}), "UnsafeViewBackward0");
  EXPECT_EQ(name({2, 3, 5}, {5, 4}), "UnsafeViewBackward0");
  EXPECT_EQ(name({3, 5}, {2, 5, 4}), "CloneBackward0");
  const Tensor x = numbers({2, 7}, 1).requires_grad_(), weight = numbers({4, 7}, 2), bias = numbers({4}, 3);
  EXPECT_EQ(linear(x, weight, bias).grad_fn(), "AddmmBackward0");
  EXPECT_EQ(linear(x, weight).grad_fn(), "MmBackward0");
  EXPECT_EQ(linear_relu(x, weight).grad_fn(), "ReluBackward0");
}

TEST(Matmul, TransposesGiveTheSameBytes) {
  const Tensor a = numbers({70, 133}, 1), b = numbers({133, 90}, 2);
  const Tensor expected = matmul(a, b);
  EXPECT_TRUE(same_bytes(matmul(a.t().contiguous().t(), b), expected));
  EXPECT_TRUE(same_bytes(matmul(a, b.t().contiguous().t()), expected));
  EXPECT_TRUE(same_bytes(matmul(b.t(), a.t()).t(), expected));
}

}  // namespace
}  // namespace percale
