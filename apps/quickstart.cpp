// The tutorial's first program, and then its network learning for some seconds, as far as a printed picture.
#include <cstdio>
#include <iostream>

#include "program/training.h"

using namespace percale;

namespace {

/// A 28 x 28 image in characters, two rows of it a line.
void print_image(const Tensor& image) {
  constexpr std::string_view shades = " .:-=+*#%@";
  const uint8_t* ink = image.data<uint8_t>();
  for (int row = 0; row < 28; row += 2) {
    std::string line = "    ";
    for (int column = 0; column < 28; ++column) {
      const size_t sum = ink[row * 28 + column] + ink[(row + 1) * 28 + column];
      line += shades[sum * shades.size() / 511];
    }
    std::puts(line.substr(0, line.find_last_not_of(' ') + 1).c_str());
  }
}

/// The three likeliest classes, each with a bar.
void print_chances(const Tensor& chances) {
  std::vector<std::pair<float, int>> ranked;
  for (int digit = 0; digit < 10; ++digit) ranked.push_back({chances.data<float>()[digit], digit});
  std::sort(ranked.rbegin(), ranked.rend());
  for (int i = 0; i < 3; ++i) {
    const auto [chance, digit] = ranked[static_cast<size_t>(i)];
    std::printf("    %d  %-40s %5.1f %%\n", digit, std::string(static_cast<size_t>(chance * 40 + 0.5f), '#').c_str(),
                100 * chance);
  }
}

}  // namespace

int main(int argc, char** argv) {
  int64_t epochs = 2, images = 12800;
  apps::Program program("quickstart", "A linear layer, then a network that learns to read digits in some seconds.",
                        "quickstart --seed 3");
  program.option("--epochs", epochs, "how often to see every image");
  program.option("--images", images, "how many digits to draw and learn from", 64, 1'000'000);
  program.training_flags();

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    // Five numbers about each of 30 persons become ten.
    nn::Linear linear(5, 10);
    Tensor input = percale::rand({30, 5});
    Tensor output = linear(input);
    std::cout << output.slice(0, 0, 2) << "\n\n" << std::flush;

    // A network learns digits, drawn here and now.
    data::LabelledImages digits = data::generated_digits(images, settings.seed);
    data::DataLoader train_loader(
        digits, {.batch_size = 64, .shuffle = true, .seed = settings.seed, .device = settings.device});
    models::SimpleCNN model;
    model.to(settings.device);
    nn::CrossEntropyLoss criterion;
    optim::Adam optimizer(model.parameters(), {.lr = 0.001});

    apps::Training training(settings, epochs, model, optimizer, train_loader,
                            "--images " + std::to_string(images) + " --seed " + std::to_string(settings.seed));
    training.run([&](const Tensor& data, const Tensor& target) {
      optimizer.zero_grad();
      auto [output, embeddings] = model(data);
      Tensor loss = criterion(output, target);
      loss.backward();
      optimizer.step();
      return loss;
    });

    // One that it has not seen.
    model.eval();
    NoGradGuard no_grad;
    data::LabelledImages unseen = data::generated_digits(1, settings.seed, images);
    auto [scores, embeddings] = model(image_batch(unseen.images, arange(1), {0.5}, {0.5}).to(settings.device));
    std::printf("\nA digit that it has not seen, a %d:\n\n", unseen.labels.item<int>());
    print_image(unseen.images);
    std::printf("\nWhat it sees:\n\n");
    print_chances(softmax(scores, 1).to(cpu_device));
  });
}
