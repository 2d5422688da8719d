// The models' training steps and forward passes, as the peers in PyTorch do them.
#include <cmath>

#include "case.h"

namespace percale::bench {

std::string precision_suffix(Device device, Precision precision) {
  if (device.is_cuda()) return std::string(".").append(text(precision));
  return precision == Precision::bf16 ? ".bf16" : "";
}

std::string distance(const Tensors& found, const Tensors& expected, double tolerance) {
  const NoGradGuard no_grad;
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const Tensor exact = expected[i].reshape({-1}), difference = found[i].to(cpu_device).to(f64).reshape({-1}) - exact;
    const double norm = std::sqrt(sum(exact * exact).item<double>());
    worst = std::max(worst, std::sqrt(sum(difference * difference).item<double>()) / std::max(norm, 1e-30));
  }
  char text[48];
  std::snprintf(text, sizeof text, "%s%.1e", worst <= tolerance ? "" : "WRONG: ", worst);
  return text;
}

namespace {

constexpr int64_t dataset = 60'000;

/// Floating-point operations of the products and convolutions of SimpleCNN's forward pass, for one image.
constexpr double cnn_forward_operations = 2.0 * (28 * 28 * 32 * 9 + 14 * 14 * 64 * 32 * 9 + 3136 * 128 + 128 * 10);
/// Backward needs as much again for the weights and again for the inputs, but for those of the images.
constexpr double cnn_step_operations = 3 * cnn_forward_operations - 2.0 * 28 * 28 * 32 * 9;

/// As many images as MNIST has, drawn once and repeated: what a step costs depends on how much of an image is blank.
data::LabelledImages many_digits() {
  constexpr int64_t drawn = 6'000;
  const data::LabelledImages few = data::generated_digits(drawn, 0);
  data::LabelledImages many{Tensor::empty({dataset, 1, 28, 28}, {u8, cpu_device}),
                            Tensor::empty({dataset}, {i64, cpu_device})};
  for (int64_t begin = 0; begin < dataset; begin += drawn) {
    many.images.slice(0, begin, begin + drawn).copy_(few.images);
    many.labels.slice(0, begin, begin + drawn).copy_(few.labels);
  }
  return many;
}

/// A training step, kept ready: what a captured step and its check share.
template <class Model>
struct Training {
  Device device;
  Precision precision = Precision::fp32;
  Model model = Model().to(device);
  optim::Adam optimizer{model.parameters(), {.lr = 0.001}};
  nn::StateDict first_weights = model.state_dict();

  /// `loss_of(model)` and its gradients, and the parameters moved.
  template <class Loss>
  Tensor step(Loss loss_of) {
    const PrecisionGuard guard(precision, device);
    optimizer.zero_grad();
    const Tensor loss = loss_of(model);
    loss.backward();
    optimizer.step();
    return loss.detach();
  }

  /// One step from the first weights (later gradients are small differences of large sums): its loss and gradients
  /// against those of the same model in f64 on the CPU.
  template <class Loss, class ExactLoss>
  std::string check(Loss loss_of, ExactLoss exact_loss_of) {
    Model exact;
    for (const Model& each : {model, exact}) each.load_state_dict(first_weights);
    exact.Module::to(f64);
    const Tensor exact_loss = exact_loss_of(exact);
    exact_loss.backward();
    Tensors found = {step(loss_of)}, expected = {exact_loss.detach()};
    for (const Tensor& parameter : model.parameters()) found.push_back(parameter.grad());
    for (const Tensor& parameter : exact.parameters()) expected.push_back(parameter.grad());
    // bf16: PyTorch's autocast is as far from f64 as 1e-1, in the gradient of the CNN's first layer, by flipped pools.
    return distance(found, expected, precision == Precision::fp32 ? 2e-5 : precision == Precision::tf32 ? 5e-2 : 0.15);
  }
};

Tensor in_double(const Tensor& tensor) { return tensor.to(cpu_device).to(f64); }

/// A step as one graph where there are graphs.
std::function<void()> captured(std::function<Tensor()> step, Device device, const char* name) {
  const auto graph = std::make_shared<CapturedStep<std::function<Tensor()>>>(std::move(step), device, true, name);
  return [graph] { (*graph)(); };
}

/// mnist_cnn's own step: a batch is gathered from 60,000 images of bytes, normalised, and learnt.
Case cnn_step(Device device, Precision precision, int64_t batch) {
  auto prepare = [=] {
    const std::shared_ptr<Training<models::SimpleCNN>> training(new Training<models::SimpleCNN>{device, precision});
    const auto loader = std::make_shared<data::DataLoader>(
        many_digits(),
        data::DataLoaderOptions{.batch_size = batch, .shuffle = true, .drop_last = true, .device = device});
    auto loss_of = [loader](const models::SimpleCNN& model) {
      auto [data, target] = loader->next();
      auto [output, embeddings] = model(data);
      return cross_entropy(output, target);
    };
    auto start_epoch_if_due = [loader] {  // which cannot be done within a captured step
      if (loader->epoch_is_over()) loader->start_epoch(loader->epoch() + 1);
    };
    auto step = captured([=] { return training->step(loss_of); }, device, "cnn step");
    return Prepared{.call = [=] { start_epoch_if_due(), step(); },
                    .check =
                        [=] {
                          // Always the same images: one batch in sixty has a value so near to a ReLU's zero or to
                          // its pool's largest that a rounding decides, and how many calls there was time for is
                          // chance.
                          loader->start_epoch(0);
                          const data::Batch next = loader->next();
                          loader->start_epoch(0);
                          return training->check(loss_of, [&](const models::SimpleCNN& exact) {
                            return cross_entropy(exact(in_double(next.images)).first, next.labels.to(cpu_device));
                          });
                        },
                    .operations = cnn_step_operations * static_cast<double>(batch)};
  };
  return {"cnn.b" + std::to_string(batch) + precision_suffix(device, precision), prepare,
          reason_without(precision, device)};
}

Case cnn_forward(Device device, int64_t batch) {
  auto prepare = [=] {
    const auto model = models::SimpleCNN().to(device).eval();
    const Tensor x = randn({batch, 1, 28, 28}, {f32, device}).channels_last();
    const auto output = std::make_shared<Tensor>();
    auto call = [=] {
      const NoGradGuard no_grad;
      *output = model(x).first;
    };
    auto check = [=] {
      const NoGradGuard no_grad;
      models::SimpleCNN exact;
      exact.load_state_dict(model.state_dict());
      exact.Module::to(f64);
      return distance({*output}, {exact(in_double(x)).first}, 1e-5);
    };
    return Prepared{.call = call, .check = check, .operations = cnn_forward_operations * static_cast<double>(batch)};
  };
  return {"cnn.forward.b" + std::to_string(batch), prepare};
}

/// `exact` on `x`, but each ReLU lets through what it lets through in `model`. Of eight million values before a ReLU
/// one may lie so close to zero that a rounding decides: a legitimate difference, and its gradient's would hide any
/// other.
Tensor with_signs_of(const models::ImageEncoder& model, const Tensor& x, const models::ImageEncoder& exact) {
  Tensor found = x.detach(), expected = in_double(x);
  const auto layers = [](const models::ImageEncoder& of) {
    return std::vector<const nn::Conv2d*>{&of.conv1, &of.conv2, &of.conv3, &of.conv4};
  };
  for (size_t i = 0; i < layers(model).size(); ++i) {
    {
      const NoGradGuard no_grad;
      found = layers(model)[i]->relu(found);
    }
    expected = (*layers(exact)[i])(expected)*in_double(gt(found, 0));
  }
  return exact.fc(exact.pool(expected).reshape({-1, 128}));
}

/// From 600 x 800 x 3 numbers to 128.
Case image_encoder(Device device, int64_t batch) {
  constexpr double first = 2.0 * 150 * 200 * 16 * 3 * 25;
  constexpr double others = 2.0 * (75 * 100 * 32 * 16 * 9 + 38 * 50 * 64 * 32 * 9 + 19 * 25 * 128 * 64 * 9 + 128 * 128);
  auto prepare = [=] {
    const std::shared_ptr<Training<models::ImageEncoder>> training(new Training<models::ImageEncoder>{device});
    const Tensor x = randn({batch, 3, 600, 800}, {f32, device}).channels_last(),
                 target = randn({batch, 128}, {f32, device});
    auto loss_of = [=](const models::ImageEncoder& model) { return mse_loss(model(x), target); };
    return Prepared{.call = captured([=] { return training->step(loss_of); }, device, "image encoder step"),
                    .check =
                        [=] {
                          return training->check(loss_of, [&](const models::ImageEncoder& exact) {
                            models::ImageEncoder first;
                            first.load_state_dict(exact.state_dict());
                            return mse_loss(with_signs_of(first.to(device), x, exact), in_double(target));
                          });
                        },
                    .operations = (2 * first + 3 * others) * static_cast<double>(batch)};
  };
  return {"image_encoder.b" + std::to_string(batch), prepare};
}

/// Products of the auto-encoder's forward pass, for one image.
constexpr double autoencoder_operations = 2.0 * 2 * (784 * 128 + 128 * 64 + 64 * 12 + 12 * 6);

Case autoencoder(Device device, int64_t batch) {
  auto prepare = [=] {
    const std::shared_ptr<Training<models::Autoencoder>> training(new Training<models::Autoencoder>{device});
    const Tensor x = randn({batch, 784}, {f32, device});
    auto loss_of = [=](const models::Autoencoder& model) { return mse_loss(model(x), x); };
    return Prepared{.call = captured([=] { return training->step(loss_of); }, device, "auto-encoder step"),
                    .check =
                        [=] {
                          return training->check(loss_of, [&](const models::Autoencoder& exact) {
                            return mse_loss(exact(in_double(x)), in_double(x));
                          });
                        },
                    // The images need no gradient.
                    .operations = (3 * autoencoder_operations - 2.0 * 784 * 128) * static_cast<double>(batch)};
  };
  return {"autoencoder.b" + std::to_string(batch), prepare};
}

}  // namespace

std::vector<Case> model_cases(Device device) {
  std::vector<Case> cases;
  std::vector<Precision> precisions = {Precision::fp32};
  if (device.is_cuda()) precisions.push_back(Precision::tf32);
  precisions.push_back(Precision::bf16);
  for (const Precision precision : precisions) cases.push_back(cnn_step(device, precision, 64));
  if (device.is_cuda()) cases.push_back(cnn_step(device, Precision::fp32, 512));
  cases.push_back(cnn_forward(device, 64));
  cases.push_back(cnn_forward(device, 1));
  cases.push_back(image_encoder(device, 8));
  cases.push_back(autoencoder(device, 64));
  return cases;
}

}  // namespace percale::bench
