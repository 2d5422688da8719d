// Twenty Adam steps of SimpleCNN from given weights on given batches, against PyTorch in f64 (simple_cnn.py).
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "given.h"

namespace percale {
namespace {

using Json = nlohmann::json;
using goldens::difference;
using goldens::given_batch;

constexpr double fan_in[] = {9, 288, 3136, 128};

void expect_close(const std::string& kind, const nn::StateDict& tensors, const Json& golden, double bound) {
  EXPECT_EQ(tensors.size(), golden.size());
  double worst = 0;
  for (const auto& [name, tensor] : tensors) {
    const double found = difference(tensor, golden.at(name));
    EXPECT_LE(found, bound) << kind << " of " << name;
    worst = std::max(worst, found);
  }
  std::printf("%s: within %.1e\n", kind.c_str(), worst);
}

/// `steps` of the golden's twenty; parameters and moments are compared after the last of them.
void train_and_compare(Device device, uint64_t steps = 20) {
  std::ifstream file(PERCALE_SOURCE_DIR "/tests/goldens/simple_cnn.json");
  const Json golden = Json::parse(file);
  const models::SimpleCNN model;
  model.load_state_dict(goldens::given_weights(model, 120, fan_in));
  model.to(device);
  const nn::CrossEntropyLoss criterion;
  optim::Adam optimizer(model.parameters(), {.lr = 1e-3});
  double worst = 0;
  for (uint64_t step = 0; step < steps; ++step) {
    const auto [images, labels] = given_batch(step);
    optimizer.zero_grad();
    const auto [output, embeddings] = model(images.to(device));
    const Tensor loss = criterion(output, labels.to(device));
    loss.backward();
    if (step == 0) {
      nn::StateDict gradients;
      for (const auto& [name, parameter] : model.named_parameters())
        gradients.emplace_back(name, parameter.grad().clone());
      expect_close("gradient", gradients, golden["gradient"], 1e-5);
    }
    optimizer.step();
    const double expected = golden["losses"][step];
    const double found = std::abs(loss.item<double>() - expected) / expected;
    EXPECT_LE(found, 1e-5) << "loss of step " << step;
    worst = std::max(worst, found);
  }
  std::printf("losses: within %.1e\n", worst);
  if (steps < golden["losses"].size()) return;
  expect_close("parameter", model.named_parameters(), golden["parameter"], 1e-4);
  const auto names = model.named_parameters();
  const nn::StateDict state = optimizer.state_dict();
  for (const std::string moment : {"exp_avg", "exp_avg_sq"}) {
    nn::StateDict tensors;
    for (size_t i = 0; i < names.size(); ++i)
      for (const auto& [name, tensor] : state)
        if (name == "state." + std::to_string(i) + "." + moment) tensors.emplace_back(names[i].first, tensor);
    expect_close(moment, tensors, golden[moment], 1e-4);
  }
}

TEST(SimpleCNN, TrainsAsPyTorchInDoublePrecision) { train_and_compare(cpu_device); }

TEST(SimpleCNN, CudaTrainsAsPyTorchInDoublePrecision) {
  if (!cuda_available()) GTEST_SKIP() << reason_without_cuda();
  train_and_compare(cuda_device, PERCALE_EMULATOR ? 1 : 20);
}

}  // namespace
}  // namespace percale
