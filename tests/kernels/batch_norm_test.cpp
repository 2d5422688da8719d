// Batch norm where mean and deviation lie far apart, after an error, and with images in either layout.
#include "../../kernels/batch_norm/batch_norm.h"

#include <gtest/gtest.h>

#include "../../core/autograd.h"
#include "../../core/cuda/error_word.h"
#include "../../core/random.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/random/random.h"
#include "../testing/check.h"

namespace percale {
namespace {

Tensor normal(const Shape& shape) {
  manual_seed(8);
  return randn(shape);
}

class BatchNormOn : public ::testing::TestWithParam<DeviceType> {
 protected:
  Device device() const { return {GetParam(), 0}; }
  void SetUp() override {
    if (device().is_cuda() && !cuda_available()) GTEST_SKIP() << "no CUDA device: " << reason_without_cuda();
  }
};

TEST_P(BatchNormOn, KeepsItsPrecisionWhereTheMeanIsFarLarger) {
  Tensor x = normal({300, 5}) + 1000.0;
  x.select(0, 0).fill_(-3000);  // an outlier in front
  const auto mean = [&](DType dtype) { return zeros({5}, {dtype, device()}); };
  const Tensor own_mean = mean(f32), own_variance = mean(f32), exact_mean = mean(f64), exact_variance = mean(f64);
  const BatchNormOptions options{.training = true, .momentum = 1};
  const Tensor y = batch_norm(x.to(device()), own_mean, own_variance, {}, {}, options);
  const Tensor exact = batch_norm(x.to(f64).to(device()), exact_mean, exact_variance, {}, {}, options);
  EXPECT_LE(testing::relative_difference(y.to(f64), exact), 1e-6);
  EXPECT_LE(testing::relative_difference(own_mean.to(f64), exact_mean), 1e-7);
  EXPECT_LE(testing::relative_difference(own_variance.to(f64), exact_variance), 1e-6);
}

TEST_P(BatchNormOn, ImagesInEitherLayoutGiveTheSame) {
  const Tensor x = normal({2, 3, 5, 4}).to(device());
  const Tensor y = batch_norm(x, {}, {}, {}, {}, {.training = true});
  EXPECT_TRUE(y.is_channels_last());
  EXPECT_TRUE(testing::same_bytes(batch_norm(x.channels_last(), {}, {}, {}, {}, {.training = true}), y));
}

#if PERCALE_HAS_CUDA
TEST_P(BatchNormOn, WhatIsRunningStaysAfterAnError) {
  if (!device().is_cuda()) GTEST_SKIP() << "errors are thrown at once on the CPU";
  const Tensor x = normal({6, 3}).to(device()), mean = full({3}, 0.5, {f32, device()}),
               variance = full({3}, 2, {f32, device()});
  fill(Tensor::from_blob(const_cast<uint64_t*>(&cuda::error_record()->operation), {1}, {i64, device()}), 3);
  batch_norm(x, mean, variance, {}, {}, {.training = true});
  fill(Tensor::from_blob(const_cast<uint64_t*>(&cuda::error_record()->operation), {1}, {i64, device()}), -1);
  EXPECT_TRUE(testing::same_bytes(mean.to(cpu_device), full({3}, 0.5)));
  EXPECT_TRUE(testing::same_bytes(variance.to(cpu_device), full({3}, 2)));
  batch_norm(x, mean, variance, {}, {}, {.training = true});
  EXPECT_FALSE(testing::same_bytes(mean.to(cpu_device), full({3}, 0.5)));
}
#endif

INSTANTIATE_TEST_SUITE_P(Cpu, BatchNormOn, ::testing::Values(cpu_device.type));
INSTANTIATE_TEST_SUITE_P(Cuda, BatchNormOn, ::testing::Values(cuda_device.type));

}  // namespace
}  // namespace percale
