// The tutorial's first model: a small convolutional network learns digits, and the layer before its last is the
// embedding.
#include <cstdio>
#include <iostream>

#include "mnist_cnn/scores.h"
#include "program/training.h"

using namespace percale;

int main(int argc, char** argv) {
  std::string folder, embeddings_file;
  int64_t epochs = 5, batch = 64;
  double lr = 0.001;
  bool robustness = false;
  apps::Program program("mnist_cnn", "Trains the tutorial's SimpleCNN on MNIST, and shows its embeddings.",
                        "mnist_cnn --epochs 5 --save mnist.safetensors --picture mnist.png");
  program.option("--data", folder,
                 "MNIST's four files; if not given: $PERCALE_DATA, the cache, a download, or generated digits",
                 "DIR|generated");
  program.option("--epochs", epochs, "how often to see every image; 0 scores the weights of --load");
  program.option("--batch", batch, "images a step", 1, 60'000);
  program.option("--lr", lr, "Adam's learning rate", 0, 1e6);
  program.option("--embeddings", embeddings_file,
                 "write the embeddings of the test images, [10000, 128] in their order", "FILE.npy");
  program.flag("--robustness", robustness,
               "show accuracy and embeddings when the test images are moved by a pixel or noisy");
  program.training_flags();
  program.check([&](const apps::Settings& settings) {
    if (epochs == 0 && settings.load.empty() && !settings.resume)
      throw apps::UsageError("--epochs 0 scores weights: add --load FILE");
    if (!embeddings_file.empty()) apps::require_writable("--embeddings", embeddings_file);
  });

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    const data::Mnist mnist = apps::load_digits(folder, settings);
    data::DataLoader train_loader(
        mnist.train, {.batch_size = batch, .shuffle = true, .seed = settings.seed, .device = settings.device});

    auto model = models::SimpleCNN().to(settings.device);
    nn::CrossEntropyLoss criterion;
    optim::Adam optimizer(model.parameters(), {.lr = lr});

    apps::Training training(settings, epochs, model, optimizer, train_loader,
                            apps::arguments_of(mnist, batch, lr, settings));
    training.measure_epochs([&] { return apps::score(model, mnist.test, settings.device).accuracy(); });
    training.run([&](const Tensor& data, const Tensor& target) {
      optimizer.zero_grad();
      auto [output, _] = model(data);
      Tensor loss = criterion(output, target);
      loss.backward();
      optimizer.step();
      return loss;
    });

    model.eval();
    NoGradGuard no_grad;
    auto [data, _] = train_loader.next();
    auto [output, embeddings] = model(data);
    std::cout << embeddings.shape() << '\n';                                       // the shape of the embeddings
    std::cout << embeddings[std::min<int64_t>(1, data.size(0) - 1)] << std::endl;  // the embedding of the second image

    const apps::Scores scores = apps::score(model, mnist.test, settings.device);
    train::Metrics more;
    if (robustness)
      more = apps::report_robustness(mnist.test, settings.seed, [&](const data::LabelledImages& images) {
        const apps::Scores changed = apps::score(model, images, settings.device);
        return apps::Answer{changed.embeddings, changed.accuracy()};
      });
    apps::report(scores, mnist, training, std::move(more));
    if (!embeddings_file.empty()) io::save_npy(embeddings_file, scores.embeddings);
    if (!settings.picture.empty()) apps::draw(settings.picture, scores, mnist);
  });
}
