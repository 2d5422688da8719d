#include "digits.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace percale::apps {
namespace {

/// Bytes [N, C, H, W] moved by whole pixels; what comes in from outside is dark.
Tensor shifted(const Tensor& images, int64_t down, int64_t right) {
  const int64_t height = images.size(2), width = images.size(3);
  const Tensor result = zeros_like(images);
  auto part = [&](const Tensor& all, int64_t y, int64_t x) {
    return all.slice(2, std::max<int64_t>(y, 0), height + std::min<int64_t>(y, 0))
        .slice(3, std::max<int64_t>(x, 0), width + std::min<int64_t>(x, 0));
  };
  part(result, down, right).copy_(part(images, -down, -right));
  return result;
}

Tensor with_noise(const Tensor& images, uint64_t seed) {
  manual_seed(seed);
  const Tensor noise = mul(randn(images.shape()), 25.5);
  return clamp(add(images.to(f32), noise), 0, 255).to(u8);
}

double mean_cosine(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(f64), y = b.to(f64);
  const Tensor norms = sqrt(mul(sum(mul(x, x), {1}), sum(mul(y, y), {1})));
  return mean(div(sum(mul(x, y), {1}), maximum(norms, full({}, 1e-300, {f64, cpu_device})))).item<double>();
}

/// Each image's embedding beside the one of the next image, the last one beside the first.
double cosine_of_others(const Tensor& embeddings) {
  const int64_t count = embeddings.size(0);
  return mean_cosine(embeddings, cat({embeddings.slice(0, 1, count), embeddings.slice(0, 0, 1)}));
}

}  // namespace

void DigitFlags::add_to(Program& program) {
  program.option("--data", data,
                 "MNIST's four files; if not given: $PERCALE_DATA, the cache, a download, or generated digits",
                 "DIR|generated");
  program.option("--epochs", epochs, "how often to see every image; 0 only looks at the weights of --load");
  program.option("--batch", batch, "images a step", 1, 60'000);
  program.option("--lr", lr, "Adam's learning rate", 0, 1e6);
  program.option("--embeddings", embeddings, "write the embeddings of the test images, a row each in their order",
                 "FILE.npy");
  program.flag("--robustness", robustness,
               "show accuracy and embeddings when the test images are moved by a pixel or noisy");
  program.training_flags();
  program.check([this](const Settings& settings) {
    if (epochs == 0 && settings.load.empty() && !settings.resume)
      throw UsageError("--epochs 0 looks at weights: add --load FILE");
    if (!embeddings.empty()) require_writable("--embeddings", embeddings);
  });
}

data::Mnist load_digits(const std::string& folder, const Settings& settings) {
  return data::load_mnist({.folder = folder,
                           .seed = settings.seed,
                           .notice = [&](const std::string& line) { note(settings, line); },
                           .progress = !settings.quiet});
}

std::string arguments_of(const data::Mnist& mnist, const DigitFlags& flags, const Settings& settings) {
  char rate[32];
  std::snprintf(rate, sizeof rate, "%.17g", flags.lr);
  return "--batch " + std::to_string(flags.batch) + " --lr " + rate + " --seed " + std::to_string(settings.seed) +
         " --precision " + text(settings.precision) + ", " + std::to_string(mnist.train.count()) +
         (mnist.is_generated() ? " generated" : "") + " images";
}

train::Metrics report_robustness(const data::LabelledImages& images, uint64_t seed,
                                 const std::function<Answer(const data::LabelledImages&)>& answer) {
  const NoGradGuard no_grad;
  const Answer plain = answer(images);
  std::printf("%-20s %9s %8s\n%-20s %7.2f %% %8.4f\n", "Robustness", "accuracy", "cosine", "as they are",
              100 * plain.accuracy, 1.0);
  auto row = [&](const char* name, const Tensor& changed) {
    const Answer found = answer({changed, images.labels});
    const std::pair<double, double> numbers{found.accuracy, mean_cosine(plain.embeddings, found.embeddings)};
    std::printf("%-20s %7.2f %% %8.4f\n", name, 100 * numbers.first, numbers.second);
    return numbers;
  };
  double accuracy = 0, cosine = 0;
  for (const auto& [name, down, right] : {std::tuple{"one pixel up", -1, 0}, std::tuple{"one pixel down", 1, 0},
                                          std::tuple{"one pixel left", 0, -1}, std::tuple{"one pixel right", 0, 1}}) {
    const auto numbers = row(name, shifted(images.images, down, right));
    accuracy += numbers.first / 4;
    cosine += numbers.second / 4;
  }
  const auto noisy = row("noise of 10 %", with_noise(images.images, seed));
  const double others = cosine_of_others(plain.embeddings);
  std::printf("%-20s %9s %8.4f\n", "another image", "-", others);
  if (others > 0.99) std::printf("Embeddings of different images are as alike: these cosines say nothing here.\n");
  std::fflush(stdout);
  return {{"shifted_accuracy", accuracy},
          {"shifted_cosine", cosine},
          {"noisy_accuracy", noisy.first},
          {"noisy_cosine", noisy.second},
          {"other_cosine", others}};
}

}  // namespace percale::apps
