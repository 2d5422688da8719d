// What specs do not say of elementwise functions.
#include "../../kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/autograd.h"
#include "../../kernels/fill/fill.h"

namespace percale {
namespace {

/// A saturated sigmoid's gradient ends at zero and not below the normal numbers, where a step takes ten times as long.
TEST(Elementwise, ASaturatedSigmoidHasNoGradientBelowTheNormalNumbers) {
  const Tensor x = tensor({-95.f, -88.f, -72.f, -60.f, 0.f, 60.f}).requires_grad_();
  sigmoid(x).backward(full({6}, 1e-5));
  const Tensor gradient = x.grad();
  const float* found = gradient.data<float>();
  for (int i : {0, 1, 2, 5}) EXPECT_EQ(found[i], 0) << i;
  EXPECT_NEAR(found[3] / (1e-5 * std::exp(-60.0)), 1, 1e-5);
  EXPECT_FLOAT_EQ(found[4], 0.25e-5f);
  x.set_grad({});
  sigmoid(x).backward(full({6}, NAN));
  EXPECT_TRUE(std::isnan(x.grad().data<float>()[0]));
}

}  // namespace
}  // namespace percale
