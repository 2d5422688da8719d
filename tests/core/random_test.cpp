// Philox against its published answers, and what is made of its bits.
#include "../../core/random.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/philox.h"

namespace percale {
namespace {

/// Known answers of Random123's kat_vectors, in our order of counter words (block, call, step) and key (seed).
TEST(Philox, GivesTheKnownAnswers) {
  const Philox4 zero = philox(0, 0, 0, 0);
  EXPECT_EQ(zero.words[0], 0x6627e8d5u);
  EXPECT_EQ(zero.words[1], 0xe169c58du);
  EXPECT_EQ(zero.words[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.words[3], 0x9b00dbd8u);
  // Counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0.
  const Philox4 pi = philox(0x299f31d0a4093822ull, 0x85a308d3243f6a88ull, 0x13198a2eu, 0x03707344u);
  EXPECT_EQ(pi.words[0], 0xd16cfe09u);
  EXPECT_EQ(pi.words[1], 0x94fdccebu);
  EXPECT_EQ(pi.words[2], 0x5001e420u);
  EXPECT_EQ(pi.words[3], 0x24126ea1u);
}

TEST(Philox, LogarithmAgreesWithTheLibrarys) {
  for (double value = 1e-300; value < 1e300; value *= 1.37)
    EXPECT_NEAR(portable_log(value), std::log(value), 1e-15 * std::max(1.0, std::abs(std::log(value)))) << value;
}

TEST(Philox, NormalsInvertTheNormalDistribution) {
  for (uint64_t bits = 0; bits <= 0xffffffffull; bits += 9999991) {
    const double probability = (static_cast<double>(bits) + 0.5) / 4294967296.0;
    const double x = normal_from_bits(static_cast<uint32_t>(bits));
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
    EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)), probability, density * 1e-6 * std::max(1.0, std::abs(x)) + 1e-9);
  }
}

TEST(Philox, MomentsAreThoseOfItsDistributions) {
  const RandomKey key{.seed = 7, .call = 3};
  double sum = 0, square = 0, mean = 0;
  const int count = 1 << 20;
  for (int i = 0; i < count; ++i) {
    const uint32_t bits = random_bits(key, 0, i);
    const double x = normal_from_bits(bits);
    sum += x, square += x * x, mean += uniform_from_bits(bits);
  }
  EXPECT_NEAR(sum / count, 0, 4.0 / 1024);  // four standard errors
  EXPECT_NEAR(square / count, 1, 4 * 1.42 / 1024);
  EXPECT_NEAR(mean / count, 0.5, 4 * 0.289 / 1024);
}

TEST(Random, StatesComeBack) {
  manual_seed(5);
  next_random_key(cpu_device);
  end_random_step(cpu_device);
  const RandomState state = random_state(cpu_device);
  EXPECT_EQ(state.seed, 5u);
  EXPECT_EQ(state.step, 1);
  const RandomKey expected = next_random_key(cpu_device);
  manual_seed(9);
  set_random_state(cpu_device, state);
  const RandomKey again = next_random_key(cpu_device);
  EXPECT_EQ(again.seed, expected.seed);
  EXPECT_EQ(again.call, expected.call);
  EXPECT_EQ(again.step, expected.step);
}

}  // namespace
}  // namespace percale
