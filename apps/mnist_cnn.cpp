// The tutorial's first model: a small convolutional network learns digits, and the layer before its last is the
// embedding.
#include <cstdio>
#include <iostream>

#include "mnist_cnn/scores.h"
#include "program/training.h"

using namespace percale;

int main(int argc, char** argv) {
  apps::Program program("mnist_cnn", "Trains the tutorial's SimpleCNN on MNIST, and shows its embeddings.",
                        "mnist_cnn --epochs 5 --save mnist.safetensors --picture mnist.png");
  apps::DigitFlags flags;
  flags.add_to(program);

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    const data::Mnist mnist = apps::load_digits(flags.data, settings);
    data::DataLoader train_loader(
        mnist.train, {.batch_size = flags.batch, .shuffle = true, .seed = settings.seed, .device = settings.device});

    auto model = models::SimpleCNN().to(settings.device);
    nn::CrossEntropyLoss criterion;
    optim::Adam optimizer(model.parameters(), {.lr = flags.lr});

    apps::Training training(settings, flags.epochs, model, optimizer, train_loader,
                            apps::arguments_of(mnist, flags, settings));
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
    if (flags.robustness)
      more = apps::report_robustness(mnist.test, settings.seed, [&](const data::LabelledImages& images) {
        const apps::Scores changed = apps::score(model, images, settings.device);
        return apps::Answer{changed.embeddings, changed.accuracy()};
      });
    apps::report(scores, mnist, training, std::move(more));
    if (!flags.embeddings.empty()) io::save_npy(flags.embeddings, scores.embeddings);
    if (!settings.picture.empty()) apps::draw(settings.picture, scores, mnist);
  });
}
