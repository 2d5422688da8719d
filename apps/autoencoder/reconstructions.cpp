#include "reconstructions.h"

#include <percale/nn/picture/axis.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace percale::apps {
namespace {

constexpr int64_t pixels = 28 * 28;

/// Of the columns of [N, pixels], summed.
double variance(const Tensor& rows) {
  const Tensor wide = rows.to(f64), centred = sub(wide, mean(wide, {0}));
  return sum(mean(mul(centred, centred), {0})).item<double>();
}

/// The loss of one image for all `targets` [N, pixels]: their mean, as near as (0, 1) comes to it.
double loss_of_the_mean(const Tensor& targets) {
  const Tensor wide = targets.to(f64);
  return mean(pow(sub(wide, clamp(mean(wide, {0}), 0, 1)), 2)).item<double>();
}

const char* collapse_cause(bool unit) {
  return unit ? "try another --seed or a smaller --lr"
              : "most targets are -1, which its sigmoid cannot reach, and their pull drowns what tells images apart; "
                "try "
                "--target unit, or another --seed";
}

}  // namespace

Tensor in_unit_range(const Tensor& inputs) { return add(mul(inputs, 0.5), 0.5); }

Reconstructions reconstruct(const models::Autoencoder& model, const data::LabelledImages& images, bool unit,
                            Device device) {
  const TraceRange range("reconstruct");
  const NoGradGuard no_grad;
  data::DataLoader loader(images, {.batch_size = 500, .device = device});
  Reconstructions found{.codes = Tensor::empty({images.count(), 6}), .images = Tensor::empty({images.count(), pixels})};
  const Tensor targets = Tensor::empty({images.count(), pixels});
  int64_t row = 0;
  for (auto [data, labels] : loader) {
    const Tensor inputs = data.reshape({-1, pixels}), codes = model.encoder(inputs);
    const int64_t end = row + data.size(0);
    found.codes.slice(0, row, end).copy_(codes);
    found.images.slice(0, row, end).copy_(model.decoder(sigmoid(codes)));
    targets.slice(0, row, end).copy_(unit ? in_unit_range(inputs) : inputs);
    row = end;
  }
  found.loss = mse_loss(found.images.to(f64), targets.to(f64)).item<double>();
  found.floor = loss_of_the_mean(targets);
  found.spread = variance(found.images) / variance(targets);
  found.nearest = train::nearest_label_accuracy(found.codes, found.codes, images.labels);
  if (found.has_collapsed()) {
    const auto [some, labels] = loader.next();
    const Tensor inputs = some.reshape({-1, pixels});
    found.merged = train::where_inputs_merge(train::layer_activity(model, [&] { model(inputs); }));
  }
  return found;
}

void report(const Reconstructions& test, const data::Mnist& mnist, bool unit, Training& training, train::Metrics more) {
  std::printf("Test loss: %.4f (the mean image for all of them: %.4f)\n", test.loss, test.floor);
  std::printf("Nearest code shows the same digit: %.2f %%\n", 100 * test.nearest);
  if (test.has_collapsed())
    std::printf("Warning: the network has collapsed, every image becomes the mean image: %s%s\n",
                test.merged.empty() ? "" : (test.merged + "; ").c_str(), collapse_cause(unit));
  const double rate = training.images_per_second();
  std::printf("Data: %s%s\n",
              mnist.is_generated() ? "generated digits, for training and for the test" : mnist.name.c_str(),
              rate > 0 ? ("; " + picture::number(rate, 0) + " images/s").c_str() : "");
  std::fflush(stdout);
  more.insert(more.begin(), {{"data", mnist.name},
                             {"test_loss", test.loss},
                             {"mean_image_loss", test.floor},
                             {"spread", test.spread},
                             {"collapsed", test.has_collapsed()},
                             {"nearest_code_accuracy", test.nearest}});
  training.finish(std::move(more));
}

void draw(const std::string& path, const Reconstructions& test, const data::Mnist& mnist) {
  const TraceRange range("picture");
  constexpr int64_t columns = 12;
  const int64_t shown = std::min<int64_t>(columns, test.codes.size(0));
  const Tensor originals = div(mnist.test.images.slice(0, 0, shown).to(f32), 255);
  const Tensor again = test.images.slice(0, 0, shown).view({shown, 1, 28, 28});
  const auto components = picture::principal_components(test.codes);
  char title[64];
  std::snprintf(title, sizeof title, "Auto-encoder: %lld pixels, 6 numbers, %lld pixels",
                static_cast<long long>(pixels), static_cast<long long>(pixels));
  picture::save(path,
                {picture::image_grid(
                     cat({originals, again}),
                     {.title = "Test images, and what is made of their codes", .columns = shown, .image_size = 48}),
                 picture::scatter(components.project(test.codes), mnist.test.labels,
                                  {.title = "Codes of the test images, from where they spread most",
                                   .x_label = components.x_label(),
                                   .y_label = components.y_label()})},
                {.title = title,
                 .note = "trained and tested on " + (mnist.is_generated() ? "generated digits" : mnist.name),
                 .columns = 1});
}

}  // namespace percale::apps
