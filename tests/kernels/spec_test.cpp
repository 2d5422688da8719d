// Every spec of every family through every harness, on each device.
#include <gtest/gtest.h>

#include <cstdlib>

#include "../testing/check.h"
#if PERCALE_EMULATOR
#include "../emulator/emulator.h"
#endif

namespace percale {
namespace {

using testing::NamedSpec;

class SpecOnCpu : public ::testing::TestWithParam<NamedSpec> {};
class SpecOnCuda : public ::testing::TestWithParam<NamedSpec> {
  void SetUp() override {
    if (!cuda_available()) GTEST_SKIP() << "no CUDA device: " << reason_without_cuda();
  }
};

std::string name_of_spec(const ::testing::TestParamInfo<NamedSpec>& info) {
  std::string name = info.param.family + "_" + info.param.spec->name;
  for (char& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
  return name;
}

void expect_right(const Spec& spec, Device device) {
  EXPECT_EQ(testing::check_exactness(spec, device), "");
  EXPECT_EQ(testing::check_layouts(spec, device), "");
  EXPECT_EQ(testing::check_errors(spec, device), "");
}

#if PERCALE_EMULATOR
// Under sanitizers: what they can see. Finite differences and precision are the release build's to check; that a twin's
// gradients are those of the CPU is checked here.
TEST_P(SpecOnCpu, Holds) { expect_right(*GetParam().spec, cpu_device); }

TEST_P(SpecOnCuda, Holds) {
  const Spec& spec = *GetParam().spec;
  std::vector<std::function<void()>> orders;
  for (const char* order : {"forward", "reverse", "shuffled:1"})
    orders.push_back([order] { emulator::set_order(emulator::parse_order(order)); });
  EXPECT_EQ(testing::check_determinism(spec, cuda_device, orders), "");
  EXPECT_EQ(testing::check_twins(spec), "");  // in the last order, which is the wildest
  EXPECT_EQ(testing::check_graph(spec), "");
  expect_right(spec, cuda_device);
}
#else
TEST_P(SpecOnCpu, Holds) {
  const Spec& spec = *GetParam().spec;
  expect_right(spec, cpu_device);
  EXPECT_EQ(testing::check_precision(spec, cpu_device), "");
  EXPECT_EQ(testing::check_gradients(spec, cpu_device), "");
  EXPECT_EQ(testing::check_determinism(spec, cpu_device), "");
}

// PERCALE_SHORT_SPECS: for compute-sanitizer, under which thousands of launches for finite differences take too long.
TEST_P(SpecOnCuda, Holds) {
  const Spec& spec = *GetParam().spec;
  expect_right(spec, cuda_device);
  EXPECT_EQ(testing::check_twins(spec), "");
  EXPECT_EQ(testing::check_graph(spec), "");
  if (std::getenv("PERCALE_SHORT_SPECS")) return;
  EXPECT_EQ(testing::check_precision(spec, cuda_device), "");
  EXPECT_EQ(testing::check_gradients(spec, cuda_device), "");
  EXPECT_EQ(testing::check_determinism(spec, cuda_device), "");
}
#endif

INSTANTIATE_TEST_SUITE_P(Specs, SpecOnCpu, ::testing::ValuesIn(testing::all_specs()), name_of_spec);
INSTANTIATE_TEST_SUITE_P(Specs, SpecOnCuda, ::testing::ValuesIn(testing::all_specs()), name_of_spec);

}  // namespace
}  // namespace percale
