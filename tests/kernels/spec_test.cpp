// Every spec of every family through every harness, on each device.
#include <gtest/gtest.h>

#include "../testing/check.h"

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

void expect_sound(const Spec& spec, Device device) {
  EXPECT_EQ(testing::check_precision(spec, device), "");
  EXPECT_EQ(testing::check_exactness(spec, device), "");
  EXPECT_EQ(testing::check_gradients(spec, device), "");
  EXPECT_EQ(testing::check_layouts(spec, device), "");
  EXPECT_EQ(testing::check_determinism(spec, device), "");
  EXPECT_EQ(testing::check_errors(spec, device), "");
}

TEST_P(SpecOnCpu, Holds) { expect_sound(*GetParam().spec, cpu_device); }

TEST_P(SpecOnCuda, Holds) {
  const Spec& spec = *GetParam().spec;
  expect_sound(spec, cuda_device);
  EXPECT_EQ(testing::check_twins(spec), "");
  EXPECT_EQ(testing::check_graph(spec), "");
}

INSTANTIATE_TEST_SUITE_P(Specs, SpecOnCpu, ::testing::ValuesIn(testing::all_specs()), name_of_spec);
INSTANTIATE_TEST_SUITE_P(Specs, SpecOnCuda, ::testing::ValuesIn(testing::all_specs()), name_of_spec);

}  // namespace
}  // namespace percale
