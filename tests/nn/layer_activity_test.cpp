// Where a network stops to tell its inputs apart.
#include "../../nn/train/layer_activity.h"

#include <gtest/gtest.h>

#include "../../core/autograd.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/random/random.h"
#include "../../nn/layers/activations.h"
#include "../../nn/layers/linear.h"
#include "../../nn/models/autoencoder.h"
#include "../../nn/sequential.h"
#include "../testing/message_of.h"

namespace percale {
namespace {

using testing::message_of;

struct LayerActivityOf : ::testing::Test {
  nn::Sequential net{nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 3), nn::Sigmoid()};
  Tensor inputs;

  void SetUp() override {
    manual_seed(1);
    inputs = randn({20, 4});
  }
  std::string found() const {
    return train::where_inputs_merge(train::layer_activity(net, [&] { net(inputs); }));
  }
  void set_bias(size_t layer, double value) const {
    const NoGradGuard no_grad;
    net.at<nn::Linear>(layer).bias.copy_(full({net.at<nn::Linear>(layer).bias.numel()}, value));
  }
};

TEST_F(LayerActivityOf, AHealthyNetIsFoundSo) { EXPECT_EQ(found(), ""); }

TEST_F(LayerActivityOf, LayersComeInTheOrderInWhichTheyRan) {
  const models::Autoencoder model;
  const Tensor images = randn({16, 784});
  const auto layers = train::layer_activity(model, [&] { model(images); });
  ASSERT_EQ(layers.size(), 15u);
  EXPECT_EQ(layers[1].name, "encoder.1");
  EXPECT_EQ(layers[1].type, "ReLU");
  EXPECT_EQ(layers[1].units, 128);
  EXPECT_EQ(layers[6].name, "encoder.6");
  EXPECT_EQ(layers[6].constant, 0);
  for (const auto& [name, module] : model.named_modules()) EXPECT_FALSE(module.has_hooks()) << name;
}

TEST_F(LayerActivityOf, ADeadLayerIsNamed) {
  set_bias(0, -100);
  EXPECT_EQ(found(), "all 8 units of 1 (ReLU) are dead: 0 for every input");
}

TEST_F(LayerActivityOf, SoIsOneThatIsMostlyDead) {
  const NoGradGuard no_grad;
  net.at<nn::Linear>(0).bias.slice(0, 0, 5).copy_(full({5}, -100));
  EXPECT_EQ(found(), "5 of 8 units of 1 (ReLU) are dead: 0 for every input");
  net.at<nn::Linear>(0).bias.slice(0, 0, 5).copy_(full({5}, 100));
  EXPECT_EQ(found(), "");
}

TEST_F(LayerActivityOf, AndOneThatSaturates) {
  set_bias(2, 50);
  EXPECT_EQ(found(), "3 (Sigmoid) gives every input the same 3 numbers");
}

TEST_F(LayerActivityOf, OneInputShowsNothing) {
  inputs = inputs.slice(0, 0, 1);
  EXPECT_NE(message_of([&] { found(); }).find("two inputs or more"), std::string::npos);
  EXPECT_FALSE(net[0].module().has_hooks());
}

}  // namespace
}  // namespace percale
