// The loop around a training step: epochs, progress, metrics, checkpoints, interruptions, profiling.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "program.h"

namespace percale::apps {

/// Takes up the weights of --load; errors name the file.
void load_weights(const Settings& settings, const nn::Module& model);

/// Calls a training step for every batch of every epoch, as the settings ask: captured or eager, from the start or from
/// a checkpoint. A resumed loop does what an uninterrupted one would have done, byte for byte.
///
///     apps::Training training(settings, epochs, model, optimizer, train_loader, "--lr 0.001");
///     training.run([&](const Tensor& data, const Tensor& target) { ...; return loss; });
class Training {
 public:
  /// What happens to one batch. Returns the loss.
  using Step = std::function<Tensor(const Tensor& data, const Tensor& target)>;

  /// Takes up the weights of --load, or the checkpoint if --resume asks for it and there is one.
  /// @param arguments what decides the result, as it was given: a checkpoint of a run with others is refused.
  Training(const Settings& settings, int64_t epochs, const nn::Module& model, optim::Optimizer& optimizer,
           data::DataLoader& loader, std::string arguments);
  ~Training();
  Training(const Training&) = delete;

  /// With --metrics, `measure` is called after each epoch and written under `name`.
  void measure_epochs(std::function<double()> measure, std::string name = "test_accuracy");
  /// The line of an epoch shows the loss of its last batch, as the tutorial's auto-encoder does, and the mean beside
  /// it.
  void show_last_loss();
  /// The line of an epoch, in place of `Epoch [1/10], Loss: 0.1234`: from its number, counted from 1, and mean loss.
  void show_epochs_as(std::function<std::string(int64_t epoch, double loss)> line);
  /// After each epoch `score` is taken, the lower the better. The run ends once it has not fallen for `patience`
  /// epochs, and then, as at the end of all epochs, goes back to the weights with which it was lowest.
  void keep_best(std::function<double()> score, int64_t patience);
  /// What a row of the loader is to its user, where that is no image: so many of `unit`, for the bar and the rates.
  void count_in(std::string unit, double each);
  /// `work` is called before each step with its number, counted from the very beginning: for learning rates.
  void before_steps(std::function<void(int64_t step)> work);
  /// What --save writes beside the weights.
  void describe_weights(io::Metadata metadata);

  /// Prints one line an epoch; throws Interrupted, after a checkpoint, where the user asks to stop. Writes --save.
  void run(const Step& step);

  /// The last line of --metrics: `numbers`, and what the loop knows itself.
  void finish(train::Metrics numbers);

  /// Images (or what count_in says) learnt from a second, by this process; 0 if there were none.
  double images_per_second() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace percale::apps
