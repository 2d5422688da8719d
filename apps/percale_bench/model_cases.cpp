// The models' training steps and forward passes, as the peers in PyTorch do them.
#include "case.h"

namespace percale::bench {
namespace {

constexpr int64_t dataset = 60'000;

/// On CUDA the peers' names say how precisely: cnn.b64.fp32.
std::string precision_suffix(Device device, Precision precision) {
  if (device.is_cuda()) return std::string(".").append(text(precision));
  return precision == Precision::bf16 ? ".bf16" : "";
}

/// Floating-point operations of the products and convolutions of SimpleCNN's forward pass, for one image.
constexpr double cnn_forward_operations = 2.0 * (28 * 28 * 32 * 9 + 14 * 14 * 64 * 32 * 9 + 3136 * 128 + 128 * 10);
/// Backward needs as much again for the weights and again for the inputs, but for those of the images.
constexpr double cnn_step_operations = 3 * cnn_forward_operations - 2.0 * 28 * 28 * 32 * 9;

/// mnist_cnn's own step: a batch is gathered from 60,000 images of bytes, normalised, and learnt.
struct CnnStep {
  Device device;
  Precision precision;
  data::DataLoader loader;
  models::SimpleCNN model = models::SimpleCNN().to(device);
  nn::CrossEntropyLoss criterion;
  optim::Adam optimizer{model.parameters(), {.lr = 0.001}};

  CnnStep(Device device, Precision precision, int64_t batch)
      : device(device),
        precision(precision),
        loader({randint(0, 256, {dataset, 1, 28, 28}, {u8, cpu_device}), randint(0, 10, {dataset}, {i64, cpu_device})},
               {.batch_size = batch, .shuffle = true, .drop_last = true, .device = device}) {}

  Tensor operator()() {
    const PrecisionGuard guard(precision, device);
    auto [data, target] = loader.next();
    optimizer.zero_grad();
    auto [output, embeddings] = model(data);
    Tensor loss = criterion(output, target);
    loss.backward();
    optimizer.step();
    return loss;
  }
};

Case cnn_step(Device device, Precision precision, int64_t batch) {
  return {"cnn.b" + std::to_string(batch) + precision_suffix(device, precision), [=] {
            const auto step = std::make_shared<CnnStep>(device, precision, batch);
            auto captured = std::make_shared<CapturedStep<std::function<Tensor()>>>([step] { return (*step)(); },
                                                                                    device, true, "cnn step");
            return Prepared{.call =
                                [step, captured] {
                                  // An epoch cannot start within a captured step.
                                  data::DataLoader& loader = step->loader;
                                  if (loader.epoch_is_over()) loader.start_epoch(loader.epoch() + 1);
                                  (*captured)();
                                },
                            .operations = cnn_step_operations * static_cast<double>(batch)};
          }};
}

Case cnn_forward(Device device, int64_t batch) {
  return {"cnn.forward.b" + std::to_string(batch), [=] {
            const auto model = models::SimpleCNN().to(device).eval();
            const Tensor x = randn({batch, 1, 28, 28}, {f32, device}).channels_last();
            return Prepared{.call =
                                [=] {
                                  const NoGradGuard no_grad;
                                  model(x);
                                },
                            .operations = cnn_forward_operations * static_cast<double>(batch)};
          }};
}

/// From 600 x 800 x 3 numbers to 128.
Case image_encoder(Device device, int64_t batch) {
  return {"image_encoder.b" + std::to_string(batch), [=] {
            const auto model = models::ImageEncoder().to(device);
            const Tensor x = randn({batch, 3, 600, 800}, {f32, device}).channels_last(),
                         target = randn({batch, 128}, {f32, device});
            const auto optimizer = std::make_shared<optim::Adam>(model.parameters(), optim::AdamOptions{.lr = 0.001});
            auto step = [=] {
              optimizer->zero_grad();
              const Tensor loss = mse_loss(model(x), target);
              loss.backward();
              optimizer->step();
              return loss;
            };
            const auto captured =
                std::make_shared<CapturedStep<decltype(step)>>(step, device, true, "image encoder step");
            const double forward = 2.0 * (150 * 200 * 16 * 3 * 25 + 75 * 100 * 32 * 16 * 9 + 38 * 50 * 64 * 32 * 9 +
                                          19 * 25 * 128 * 64 * 9 + 128 * 128);
            const double first = 2.0 * 150 * 200 * 16 * 3 * 25;
            return Prepared{.call = [captured] { (*captured)(); },
                            .operations = (3 * forward - first) * static_cast<double>(batch)};
          }};
}

}  // namespace

std::vector<Case> model_cases(Device device) {
  std::vector<Case> cases;
  std::vector<Precision> precisions = {Precision::fp32};
  if (device.is_cuda()) precisions.push_back(Precision::tf32);
  if (reason_without(Precision::bf16, device).empty()) precisions.push_back(Precision::bf16);
  for (const Precision precision : precisions) cases.push_back(cnn_step(device, precision, 64));
  if (device.is_cuda()) cases.push_back(cnn_step(device, Precision::fp32, 512));
  cases.push_back(cnn_forward(device, 64));
  cases.push_back(cnn_forward(device, 1));
  cases.push_back(image_encoder(device, 8));
  return cases;
}

}  // namespace percale::bench
