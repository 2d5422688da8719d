// Rows of 16-bit numbers are converted as single ones are, on every instruction set.
#include <gtest/gtest.h>
#include <percale/kernels/common/half_rows.h>

#include <bit>
#include <cstdint>
#include <vector>

namespace percale {
namespace {

template <class Half>
void expect_same() {
  constexpr size_t all = 65536, odd = 1021;
  std::vector<Half> halves(all);
  std::vector<float> floats(all);
  for (size_t i = 0; i < all; ++i) halves[i].bits = static_cast<uint16_t>(i);
  cpu::floats_of(halves.data(), floats.data(), all);
  for (size_t i = 0; i < all; ++i) {
    const float expected = halves[i];
    if (expected != expected) {
      EXPECT_NE(floats[i], floats[i]);
      continue;
    }
    EXPECT_EQ(std::bit_cast<uint32_t>(floats[i]), std::bit_cast<uint32_t>(expected)) << i;
  }
  for (uint64_t begin = 0; begin < uint64_t{1} << 32; begin += odd * 1999) {
    for (size_t i = 0; i < odd; ++i) floats[i] = std::bit_cast<float>(static_cast<uint32_t>(begin + i * 1999));
    cpu::rounded_floats(floats.data(), halves.data(), odd);
    for (size_t i = 0; i < odd; ++i) ASSERT_EQ(halves[i].bits, Half(floats[i]).bits) << floats[i];
  }
}

TEST(HalfRows, AreWhatHalvesAre) { expect_same<half>(); }
TEST(HalfRows, AreWhatBfloatsAre) { expect_same<bfloat16>(); }

}  // namespace
}  // namespace percale
