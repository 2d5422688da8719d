// Training in bf16: it learns as in f32, parameters and losses stay f32, and the same bytes come at any number of
// threads.
#include "../../core/precision.h"

#include <gtest/gtest.h>

#include "../../core/cpu/threads.h"
#include "../../core/random.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/reduction/reduction.h"
#include "../../nn/data/generated_digits.h"
#include "../../nn/losses.h"
#include "../../nn/models/simple_cnn.h"
#include "../../nn/optim/adam.h"
#include "../testing/check.h"

namespace percale {
namespace {

constexpr int64_t batch = 16, digits_to_learn = 1280, digits_to_test = 200;

Tensor normalised(const Tensor& bytes) { return bytes.to(f32) * (1.0 / 255) - 0.5; }

struct Trained {
  models::SimpleCNN model;
  std::vector<double> losses;
};

/// In a scope and not a guard: a processor without bf16 emulates it.
Trained train(Precision precision, int steps) {
  const data::LabelledImages digits = data::generated_digits(digits_to_learn, 1);
  manual_seed(3);
  Trained result;
  optim::Adam optimizer(result.model.parameters(), {.lr = 2e-3});
  const PrecisionScope scope(precision);
  for (int i = 0; i < steps; ++i) {
    const int64_t begin = i * batch % digits_to_learn;
    optimizer.zero_grad();
    const auto [output, embeddings] = result.model(normalised(digits.images.slice(0, begin, begin + batch)));
    EXPECT_EQ(embeddings.dtype(), precision == Precision::bf16 ? bf16 : f32);
    const Tensor loss = cross_entropy(output, digits.labels.slice(0, begin, begin + batch));
    EXPECT_EQ(loss.dtype(), f32);
    loss.backward();
    optimizer.step();
    result.losses.push_back(loss.item<double>());
  }
  return result;
}

double accuracy(const models::SimpleCNN& model, Precision precision) {
  const data::LabelledImages digits = data::generated_digits(digits_to_test, 2);
  const NoGradGuard no_grad;
  const PrecisionScope scope(precision);
  const Tensor right = eq(argmax(model(normalised(digits.images)).first, 1), digits.labels);
  return sum(right).item<double>() / digits_to_test;
}

TEST(Precision, TheCnnLearnsInBf16AsInF32) {
  const Trained exact = train(Precision::fp32, 80), rounded = train(Precision::bf16, 80);
  EXPECT_NEAR(rounded.losses[0], exact.losses[0], 0.01 * exact.losses[0]);
  EXPECT_NE(rounded.losses[0], exact.losses[0]);
  for (const Tensor& parameter : rounded.model.parameters()) {
    EXPECT_EQ(parameter.dtype(), f32);
    EXPECT_EQ(parameter.grad().dtype(), f32);
  }
  const double in_f32 = accuracy(exact.model, Precision::fp32), in_bf16 = accuracy(rounded.model, Precision::bf16);
  EXPECT_GT(in_f32, 0.7);
  EXPECT_NEAR(in_bf16, in_f32, 0.05);
}

TEST(Precision, Bf16TrainsToTheSameBytesTwiceAndOnOneThread) {
  const int threads = cpu::num_threads();
  const auto weights = [](int count) {
    cpu::set_num_threads(count);
    return train(Precision::bf16, 3).model.parameters();
  };
  const auto two = weights(2), again = weights(2), one = weights(1);
  cpu::set_num_threads(threads);
  for (size_t i = 0; i < two.size(); ++i) {
    EXPECT_TRUE(testing::same_bytes(two[i], again[i])) << "twice, parameter " << i;
    EXPECT_TRUE(testing::same_bytes(two[i], one[i])) << "on one thread, parameter " << i;
  }
}

TEST(Precision, AGuardRefusesWhatTheProcessorLacksAndSaysWhy) {
  const std::string reason = reason_without(Precision::bf16, cpu_device);
  EXPECT_EQ(reason.find('\n'), std::string::npos);
  if (reason.empty()) {
    const PrecisionGuard guard(Precision::bf16, cpu_device);
    EXPECT_EQ(current_precision(), Precision::bf16);
  } else {
    EXPECT_NE(reason.find("no bfloat16 arithmetic"), std::string::npos) << reason;
    EXPECT_THROW(PrecisionGuard(Precision::bf16, cpu_device), Error);
  }
  EXPECT_EQ(current_precision(), Precision::fp32);
}

}  // namespace
}  // namespace percale
