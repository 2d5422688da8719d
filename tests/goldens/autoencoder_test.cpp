// A hundred Adam steps of the auto-encoder from given weights on given batches, against PyTorch in f64
// (autoencoder.py).
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "given.h"

namespace percale {
namespace {

constexpr double fan_in[] = {784, 128, 64, 12, 6, 12, 64, 128};

/// Every loss within 2e-6 (PyTorch's own f32: 1.7e-7), parameters after the last step within 3e-5 (2.7e-6).
void train_and_compare(Device device, size_t steps) {
  std::ifstream file(PERCALE_SOURCE_DIR "/tests/goldens/autoencoder.json");
  const auto golden = nlohmann::json::parse(file);
  const models::Autoencoder model;
  model.load_state_dict(goldens::given_weights(model, 220, fan_in));
  model.to(device);
  const nn::MSELoss criterion;
  optim::Adam optimizer(model.parameters(), {.lr = 1e-3});
  double worst = 0;
  for (size_t step = 0; step < steps; ++step) {
    const Tensor inputs = goldens::given_batch(step).images.reshape({-1, 784}).to(device);
    const Tensor loss = criterion(model(inputs), inputs);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    const double expected = golden["losses"][step], found = std::abs(loss.item<double>() - expected) / expected;
    EXPECT_LE(found, 2e-6) << "loss of step " << step;
    worst = std::max(worst, found);
  }
  std::printf("losses: within %.1e\n", worst);
  if (steps < golden["losses"].size()) return;
  for (const auto& [name, parameter] : model.named_parameters())
    EXPECT_LE(goldens::difference(parameter, golden["parameter"][name]), 3e-5) << name;
}

TEST(Autoencoder, TrainsAsPyTorchInDoublePrecision) { train_and_compare(cpu_device, 100); }

TEST(Autoencoder, CudaTrainsAsPyTorchInDoublePrecision) {
  if (!cuda_available()) GTEST_SKIP() << reason_without_cuda();
  train_and_compare(cuda_device, PERCALE_EMULATOR ? 1 : 100);
}

}  // namespace
}  // namespace percale
