// The tutorial's auto-encoder: images pressed into 6 numbers and made again from them; those numbers are the embedding.
#include "autoencoder/reconstructions.h"
#include "program/training.h"

using namespace percale;

int main(int argc, char** argv) {
  std::string folder, embeddings_file, target = "normalised";
  int64_t epochs = 10, batch = 64;
  double lr = 0.001;
  bool robustness = false;
  apps::Program program("autoencoder", "Trains the tutorial's auto-encoder on MNIST, and shows its embeddings.",
                        "autoencoder --target unit --picture codes.png");
  program.option("--data", folder,
                 "MNIST's four files; if not given: $PERCALE_DATA, the cache, a download, or generated digits",
                 "DIR|generated");
  program.option("--epochs", epochs, "how often to see every image; 0 only looks at the weights of --load");
  program.option("--batch", batch, "images a step", 1, 60'000);
  program.option("--lr", lr, "Adam's learning rate", 0, 1e6);
  program.choice(
      "--target", target,
      "what is to be reconstructed: the input as in the tutorial, in [-1, 1], of which the sigmoid at the end "
      "reaches half (the loss cannot fall far below 0.9); or `unit`: pixels in [0, 1], all of which it reaches",
      {"normalised", "unit"});
  program.option("--embeddings", embeddings_file, "write the codes of the test images, [10000, 6] in their order",
                 "FILE.npy");
  program.flag("--robustness", robustness, "show how codes bear it when the test images are moved by a pixel or noisy");
  program.training_flags();
  program.check([&](const apps::Settings& settings) {
    if (epochs == 0 && settings.load.empty() && !settings.resume)
      throw apps::UsageError("--epochs 0 looks at weights: add --load FILE");
    if (!embeddings_file.empty()) apps::require_writable("--embeddings", embeddings_file);
  });

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    const bool unit = target == "unit";
    const data::Mnist mnist = apps::load_digits(folder, settings);
    data::DataLoader train_loader(
        mnist.train, {.batch_size = batch, .shuffle = true, .seed = settings.seed, .device = settings.device});

    auto model = models::Autoencoder().to(settings.device);
    nn::MSELoss criterion;
    optim::Adam optimizer(model.parameters(), {.lr = lr});

    apps::Training training(settings, epochs, model, optimizer, train_loader,
                            apps::arguments_of(mnist, batch, lr, settings) + ", target " + target);
    training.show_last_loss();
    training.measure_epochs([&] { return apps::reconstruct(model, mnist.test, unit, settings.device).loss; },
                            "test_loss");
    training.run([&](const Tensor& data, const Tensor&) {
      Tensor inputs = data.reshape({-1, 28 * 28});  // flatten the images

      Tensor outputs = model(inputs);
      Tensor loss = criterion(outputs, unit ? apps::in_unit_range(inputs) : inputs);

      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
      return loss;
    });

    const apps::Reconstructions test = apps::reconstruct(model, mnist.test, unit, settings.device);
    train::Metrics more;
    if (robustness)
      more = apps::report_robustness(mnist.test, settings.seed, [&](const data::LabelledImages& images) {
        const Tensor codes = apps::reconstruct(model, images, unit, settings.device).codes;
        return apps::Answer{codes, train::nearest_label_accuracy(codes, test.codes, images.labels)};
      });
    apps::report(test, mnist, unit, training, std::move(more));
    if (!embeddings_file.empty()) io::save_npy(embeddings_file, test.codes);
    if (!settings.picture.empty()) apps::draw(settings.picture, test, mnist);
  });
}
