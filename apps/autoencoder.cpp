// The tutorial's auto-encoder: images pressed into 6 numbers and made again from them; those numbers are the embedding.
#include "autoencoder/reconstructions.h"
#include "program/training.h"

using namespace percale;

int main(int argc, char** argv) {
  apps::Program program("autoencoder", "Trains the tutorial's auto-encoder on MNIST, and shows its embeddings.",
                        "autoencoder --target unit --picture codes.png");
  apps::DigitFlags flags{.epochs = 10};
  std::string target = "normalised";
  program.choice(
      "--target", target,
      "what is to be reconstructed: the input as in the tutorial, in [-1, 1], of which the sigmoid at the end "
      "reaches half (the loss cannot fall far below 0.9); or `unit`: pixels in [0, 1], all of which it reaches",
      {"normalised", "unit"});
  flags.add_to(program);

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    const bool unit = target == "unit";
    const data::Mnist mnist = apps::load_digits(flags.data, settings);
    data::DataLoader train_loader(
        mnist.train, {.batch_size = flags.batch, .shuffle = true, .seed = settings.seed, .device = settings.device});

    auto model = models::Autoencoder().to(settings.device);
    nn::MSELoss criterion;
    optim::Adam optimizer(model.parameters(), {.lr = flags.lr});

    apps::Training training(settings, flags.epochs, model, optimizer, train_loader,
                            apps::arguments_of(mnist, flags, settings) + ", target " + target);
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
    if (flags.robustness)
      more = apps::report_robustness(mnist.test, settings.seed, [&](const data::LabelledImages& images) {
        const Tensor codes = apps::reconstruct(model, images, unit, settings.device).codes;
        return apps::Answer{codes, train::nearest_label_accuracy(codes, test.codes, images.labels)};
      });
    apps::report(test, mnist, unit, training, std::move(more));
    if (!flags.embeddings.empty()) io::save_npy(flags.embeddings, test.codes);
    if (!settings.picture.empty()) apps::draw(settings.picture, test, mnist);
  });
}
