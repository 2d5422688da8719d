// Random numbers: the bytes that every device must give, what they are distributed as, and masks that come back.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "../../kernels/common/random_words.h"
#include "../../kernels/random/random_permutation.h"
#include "../../kernels/random/random_twins.h"
#include "../testing/check.h"
#include "../testing/instruction_set.h"

namespace percale {
namespace {

/// FNV-1a of the elements' bytes in row-major order.
uint64_t digest(const Tensor& tensor) {
  const Tensor host = tensor.to(cpu_device).contiguous();
  const auto* bytes = static_cast<const unsigned char*>(host.data());
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < static_cast<size_t>(host.numel()) * size_of(host.dtype()); ++i)
    hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

template <class T>
std::vector<T> values(const Tensor& tensor) {
  const Tensor host = tensor.to(cpu_device).contiguous();
  return {host.data<T>(), host.data<T>() + host.numel()};
}

std::vector<Device> devices() {
  return cuda_available() ? std::vector<Device>{cpu_device, cuda_device} : std::vector<Device>{cpu_device};
}

/// The first numbers are worked out by a Philox of their own in Python; the digests are those of the first build.
TEST(RandomTensors, AreTheSameBytesEverywhere) {
  for (const Device device : devices()) {
    SCOPED_TRACE(text(device));
    manual_seed(20240607);
    const auto uniform = values<float>(rand({8}, {f32, device}));
    const auto normal = values<float>(randn({8}, {f32, device}));
    const auto integers = values<int64_t>(randint(-3, 997, {6}, {i64, device}));
    const auto order = values<int64_t>(randperm(10, {i64, device}));
    const uint32_t expected[] = {0x3f601a40, 0x3f534a31, 0x3ea1c5f6, 0x3d0a78c0,
                                 0x3f023446, 0x3f1710b1, 0x3f6d2630, 0x3d6ec600};
    const double quantiles[] = {0.3516973367392531, -0.31668671007168236, 0.38235747103207407,  0.0393696448821672,
                                0.3150364299232073, 0.3160614909243223,   -0.43774640528145853, 0.9198868181706581};
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(std::bit_cast<uint32_t>(uniform[i]), expected[i]) << i;
      EXPECT_NEAR(normal[i], quantiles[i], 2e-7 * std::max(1.0, std::abs(quantiles[i]))) << i;
    }
    EXPECT_EQ(integers, (std::vector<int64_t>{712, 40, 927, 930, 337, 987}));
    EXPECT_EQ(order, (std::vector<int64_t>{6, 2, 4, 9, 0, 1, 7, 5, 3, 8}));
    EXPECT_EQ(digest(rand({100003}, {f32, device})), 16900360532597083260u);
    EXPECT_EQ(digest(randn({100003}, {f32, device})), 10901128317837614246u);
    EXPECT_EQ(digest(randn({1001}, {bf16, device})), 18242271300123540979u);
    EXPECT_EQ(digest(randint(1000000007, {10007}, {i64, device})), 14467676292046690554u);
    EXPECT_EQ(digest(randperm(60000, {i64, device})), 1676157822059676449u);
    EXPECT_EQ(digest(dropout(ones({1003}, {f32, device}), 0.3)), 14812827526390491813u);
  }
}

/// What the CPU does for many numbers at once, against what it says of one, on every instruction set.
TEST(RandomTensors, ManyAtOnceAreEachAlone) {
  std::vector<uint32_t> words = {0,          1,          2,          0x12ffffff, 0x13333333, 0x13333334,
                                 0x7fffffff, 0x80000000, 0xeccccccc, 0xfffffffe, 0xffffffff};
  for (uint64_t block = 0; words.size() < 200'000; ++block)
    for (const uint32_t word : philox(5, block, 0, 0).words) words.push_back(block % 2 ? word : word >> block % 32);
  const RandomKey key = {.seed = 77, .call = 3, .step = 5};
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const testing::InstructionSet only(target);
    std::vector<float> normals(words.size());
    cpu::normals_of(words.data(), static_cast<int64_t>(words.size()), normals.data());
    for (size_t i = 0; i < words.size(); ++i)
      ASSERT_EQ(std::bit_cast<uint32_t>(normals[i]), std::bit_cast<uint32_t>(normal_from_bits(words[i])))
          << hwy::TargetName(target) << " " << words[i];
    for (const DType dtype : {i64, i32}) {
      for (const int64_t count : {1, 5, 511, 513, 2049, 70'000}) {
        const Tensor order = Tensor::empty({count}, {dtype, cpu_device});
        cpu::permutation(key, order);
        const random::Permutation alone(key, 5, static_cast<uint64_t>(count));
        const std::vector<int64_t> found = values<int64_t>(order.to(i64));
        for (int64_t i = 0; i < count; ++i)
          ASSERT_EQ(found[static_cast<size_t>(i)], static_cast<int64_t>(alone(static_cast<uint64_t>(i))))
              << hwy::TargetName(target) << " " << count << " " << i;
      }
    }
  }
}

TEST(RandomTensors, DoNotDependOnTheLayout) {
  manual_seed(3);
  const Tensor plain = zeros({3, 5, 4, 7}), images = Tensor::empty_channels_last({3, 5, 4, 7});
  normal_(plain);
  manual_seed(3);
  normal_(images);
  EXPECT_TRUE(images.is_channels_last());
  EXPECT_TRUE(testing::same_bytes(plain, images));
  manual_seed(4);
  const Tensor masked = dropout(plain);
  manual_seed(4);
  EXPECT_TRUE(testing::same_bytes(masked, dropout(images)));
}

TEST(RandomTensors, CallsDifferAndSeedsRepeat) {
  manual_seed(1);
  const Tensor first = rand({100}), second = rand({100});
  EXPECT_FALSE(testing::same_bytes(first, second));
  manual_seed(1);
  EXPECT_TRUE(testing::same_bytes(first, rand({100})));
  begin_random_step();
  end_random_step(cpu_device);
  begin_random_step();
  EXPECT_FALSE(testing::same_bytes(first, rand({100})));
  manual_seed(2);
  EXPECT_FALSE(testing::same_bytes(first, rand({100})));
}

TEST(RandomTensors, UniformNumbersStayBelowTheirBound) {
  manual_seed(6);
  for (const DType dtype : {f32, f64, f16, bf16}) {
    const Tensor unit = rand({100000}, {dtype, cpu_device}), range = zeros({100000}, {dtype, cpu_device});
    uniform_(range, 1, 1.5);
    EXPECT_GE(min(unit).item<double>(), 0) << text(dtype);
    EXPECT_LT(max(unit).item<double>(), 1) << text(dtype);
    EXPECT_GE(min(range).item<double>(), 1) << text(dtype);
    EXPECT_LT(max(range).item<double>(), 1.5) << text(dtype);
    EXPECT_NEAR(mean(unit.to(f64)).item<double>(), 0.5, 4e-3 + (dtype == bf16 ? 2e-3 : 0)) << text(dtype);
  }
}

TEST(RandomTensors, IntegersAreAllAsLikely) {
  manual_seed(8);
  std::vector<int> counts(7);
  for (int64_t value : values<int64_t>(randint(5, 12, {70000}))) {
    ASSERT_TRUE(value >= 5 && value < 12);
    ++counts[static_cast<size_t>(value - 5)];
  }
  for (int count : counts) EXPECT_NEAR(count, 10000, 4 * 93);  // four standard errors
  const auto wide = values<int64_t>(randint(INT64_MIN, INT64_MAX, {100}));
  EXPECT_NEAR(static_cast<double>(std::ranges::count_if(wide, [](int64_t value) { return value < 0; })), 50, 4 * 5);
}

TEST(RandomTensors, PermutationsHoldEachNumberOnce) {
  manual_seed(9);
  for (int64_t count : {0, 1, 2, 3, 15, 16, 17, 1000, 4096, 60000}) {
    auto order = values<int64_t>(randperm(count));
    std::vector<int64_t> expected(static_cast<size_t>(count));
    std::iota(expected.begin(), expected.end(), 0);
    if (count > 100) {
      EXPECT_NE(order, expected);
    }
    std::ranges::sort(order);
    EXPECT_EQ(order, expected) << count;
  }
}

/// The 24 orders of four numbers, and the place of one among 128, each as often as the others: chi-squared.
TEST(RandomTensors, PermutationsAreAllAsLikely) {
  manual_seed(10);
  const int draws = 24000;
  std::vector<int> orders(256), places(128);
  for (int i = 0; i < draws; ++i) {
    const auto four = values<int64_t>(randperm(4));
    ++orders[static_cast<size_t>(four[0] * 64 + four[1] * 16 + four[2] * 4 + four[3])];
  }
  for (int i = 0; i < 12800; ++i) ++places[static_cast<size_t>(values<int32_t>(randperm(128, {i32, cpu_device}))[17])];
  double of_orders = 0, of_places = 0;
  int seen = 0;
  for (int count : orders)
    if (count) ++seen, of_orders += (count - 1000.0) * (count - 1000.0) / 1000;
  for (int count : places) of_places += (count - 100.0) * (count - 100.0) / 100;
  EXPECT_EQ(seen, 24);
  EXPECT_LT(of_orders, 23 + 4 * std::sqrt(2.0 * 23));
  EXPECT_LT(of_places, 127 + 4 * std::sqrt(2.0 * 127));
}

TEST(Dropout, KeepsTheShareAndTheMean) {
  manual_seed(11);
  const Tensor x = ones({100000}).requires_grad_(), y = dropout(x, 0.3);
  const double kept = sum(y != 0).item<double>();
  EXPECT_NEAR(kept, 70000, 4 * 145);
  EXPECT_NEAR(max(y).item<double>(), 1 / 0.7, 1e-6);
  sum(y).backward();
  EXPECT_TRUE(testing::same_bytes(x.grad(), y.detach()));  // the same mask again, of ones
  EXPECT_TRUE(dropout(x, 0.3, false).is_same(x));
  EXPECT_TRUE(dropout(x, 0).is_same(x));
}

TEST(Dropout, ADifferentMaskEachStepOfOneGraph) {
  for (const Device device : devices()) {
    manual_seed(12);
    const Tensor x = ones({1000}, {f32, device}).requires_grad_();
    auto step = Graph::capture(
        [&] {
          x.set_grad({});
          const Tensor y = dropout(x, 0.5);
          sum(y).backward();
          return Tensors{y.detach(), x.grad()};
        },
        device);
    Tensor before;
    for (int call = 0; call < 4; ++call) {
      const Tensors results = step();
      EXPECT_TRUE(testing::same_bytes(results[0], results[1])) << "forward and backward disagree in call " << call;
      if (before.defined()) {
        EXPECT_FALSE(testing::same_bytes(results[0], before)) << call;
      }
      before = results[0].clone();
    }
  }
}

}  // namespace
}  // namespace percale
