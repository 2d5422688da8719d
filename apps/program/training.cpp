#include "training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>

#include "report.h"

#if PERCALE_HAS_CUDA
#include <percale/core/cuda/runtime.h>
#endif

namespace percale::apps {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Opens and closes the window of --profile: for nsys, and for the built-in timeline.
class ProfileWindow {
 public:
  explicit ProfileWindow(const Settings& settings) : settings_(settings) {}

  void before_step(int64_t step) {
    if (!settings_.profile || step != settings_.profile->first) return;
    open_ = true;
    if (wants_timeline()) start_timeline();
#if PERCALE_HAS_CUDA
    if (settings_.device.is_cuda()) {
      cuda::synchronize(cuda::current_stream());
      cuda::start_profiler();
    }
#endif
  }

  void after_step(int64_t step) {
    if (open_ && step + 1 == settings_.profile->second) close();
  }

  void close() {
    if (!std::exchange(open_, false)) return;
#if PERCALE_HAS_CUDA
    if (settings_.device.is_cuda()) {
      cuda::synchronize(cuda::current_stream());
      cuda::stop_profiler();
    }
#endif
    if (wants_timeline()) report_timeline(settings_, stop_timeline());
  }

 private:
  bool wants_timeline() const { return !settings_.trace.empty() || settings_.profile_table; }

  const Settings& settings_;
  bool open_ = false;
};

}  // namespace

struct Training::State {
  const Settings& settings;
  int64_t epochs;
  nn::Module model;
  optim::Optimizer& optimizer;
  data::DataLoader& loader;
  std::string arguments;

  ProfileWindow window{settings};
  std::string unit = "images";
  double each = 1;  ///< of `unit` in a row
  std::unique_ptr<train::ProgressBar> bar = {};
  std::unique_ptr<train::MetricsFile> metrics = {};
  std::function<double()> measure = {};
  std::string measure_name = {};
  std::function<void(int64_t)> before_step = {};
  io::SafetensorsOptions weights = {};

  Tensor loss_sum = zeros({1}, {f32, settings.device});  ///< of the steps of this epoch
  double mean_loss = NAN;                                ///< of the last whole epoch
  Tensor loss = full({1}, NAN);                          ///< of the last batch
  bool shows_last_loss = false;
  std::function<std::string(int64_t, double)> epoch_line = {};
  std::function<double()> score = {};  ///< of keep_best
  int64_t patience = 0;
  train::BestWeights best = {};
  int64_t rows = 0;    ///< learnt from by this process,
  double seconds = 0;  ///< and how long that took

  using Captured = CapturedStep<std::function<Tensor()>>;
  std::map<int64_t, Captured> captured = {};  ///< a graph a batch size

  int64_t in_units(int64_t count) const { return static_cast<int64_t>(each * static_cast<double>(count)); }

  /// Steps since the very beginning.
  int64_t step() const { return loader.epoch() * loader.steps() + loader.step(); }

  void resume() {
    if (!std::filesystem::exists(settings.checkpoint))
      return note(settings, "there is no checkpoint " + settings.checkpoint + " yet: beginning at step 0");
    const train::Checkpoint checkpoint = train::load_checkpoint(settings.checkpoint);
    train::require_arguments(settings.checkpoint, checkpoint, arguments);
    model.load_state_dict(checkpoint.model);
    optimizer.load_state_dict(checkpoint.optimizer);
    set_random_state(settings.device, checkpoint.random);
    loader.set_position(checkpoint.position);
    if (const auto sum = checkpoint.numbers.find("loss_sum"); sum != checkpoint.numbers.end())
      loss_sum.fill_(sum->second);
    if (const auto mean = checkpoint.numbers.find("mean_loss"); mean != checkpoint.numbers.end())
      mean_loss = mean->second;
    if (const auto last = checkpoint.numbers.find("loss"); last != checkpoint.numbers.end()) loss.fill_(last->second);
    best.weights = checkpoint.best;
    if (const auto score = checkpoint.numbers.find("best_score"); score != checkpoint.numbers.end())
      best.score = score->second;
    if (const auto since = checkpoint.numbers.find("best_since"); since != checkpoint.numbers.end())
      best.since = static_cast<int64_t>(since->second);
    note(settings, "resuming at step " + std::to_string(step()) + " of " + std::to_string(epochs * loader.steps()));
  }

  void save_checkpoint() {
    const TraceRange range("checkpoint");
    std::map<std::string, double> numbers = {
        {"loss_sum", loss_sum.item<double>()}, {"mean_loss", mean_loss}, {"loss", loss.item<double>()}};
    if (score) numbers.insert({{"best_score", best.score}, {"best_since", static_cast<double>(best.since)}});
    train::save_checkpoint(settings.checkpoint, {.model = model.state_dict(),
                                                 .optimizer = optimizer.state_dict(),
                                                 .best = best.weights,
                                                 .random = random_state(settings.device),
                                                 .position = loader.position(),
                                                 .arguments = arguments,
                                                 .numbers = std::move(numbers)});
  }

  /// One batch: gathered, learnt from, its loss added up.
  Tensor learn(const Step& body) {
    auto [data, target] = loader.next();
    const Tensor loss = body(data, target).detach();
    add_into(loss_sum, loss.reshape({1}));
    return loss;
  }

  Tensor take_step(const Step& body) {
    const int64_t number = step(), size = loader.next_batch_size();
    window.before_step(number);
    if (before_step) before_step(number);
    Tensor loss;
    {
      const TraceRange range("step " + std::to_string(number));
      auto entry = captured.find(size);
      if (entry == captured.end())
        entry = captured
                    .try_emplace(
                        size, [this, &body] { return learn(body); }, settings.device, settings.graph, "training step")
                    .first;
      loss = entry->second();
    }
    window.after_step(number);
    rows += size;
    return loss;
  }

  [[noreturn]] void stop() {
    bar->clear();
    window.close();
    const int signal = train::interrupting_signal();
    if (settings.checkpoint.empty()) {
      note(settings, "interrupted at step " + std::to_string(step()) + "; nothing is kept (--checkpoint FILE would)");
    } else {
      save_checkpoint();
      note(settings,
           "interrupted at step " + std::to_string(step()) + "; --resume goes on from " + settings.checkpoint);
    }
    throw Interrupted(signal);
  }

  void run_steps(const Step& body) {
    const Clock::time_point start = Clock::now();
    const int64_t batch = loader.options().batch_size;
    bar = std::make_unique<train::ProgressBar>(in_units(loader.count()),
                                               train::ProgressOptions{.unit = unit, .enabled = !settings.quiet});
    bar->start(in_units(loader.step() * batch));
    while (!loader.epoch_is_over()) {
      loss = take_step(body);
      if (bar->is_due()) bar->show(in_units(std::min(loader.step() * batch, loader.count())), loss.item<double>());
      if (settings.checkpoint_every > 0 && step() % settings.checkpoint_every == 0) save_checkpoint();
      if (train::interrupted()) stop();
    }
    mean_loss = loss_sum.item<double>() / static_cast<double>(loader.steps());
    loss_sum.zero_();
    seconds += seconds_since(start);
  }

  std::string line_of(int64_t epoch) {
    if (epoch_line) return epoch_line(epoch, mean_loss);
    char line[96];
    const int length = std::snprintf(line, sizeof line, "Epoch [%lld/%lld], Loss: %.4f", static_cast<long long>(epoch),
                                     static_cast<long long>(epochs), shows_last_loss ? loss.item<double>() : mean_loss);
    if (shows_last_loss)
      std::snprintf(line + length, sizeof line - static_cast<size_t>(length), " (mean of the epoch: %.4f)", mean_loss);
    return line;
  }

  bool is_over() const { return loader.epoch() >= epochs || (score && best.since >= patience); }

  void run_epoch(const Step& body) {
    const int64_t epoch = loader.epoch() + 1, rows_before = rows;
    const double seconds_before = seconds;
    const TraceRange range("epoch " + std::to_string(epoch));
    run_steps(body);
    bar->clear();
    if (!settings.quiet) bar->print(line_of(epoch));
    loader.start_epoch(epoch);
    if (score) best.see(score(), model);
    if (!metrics) return;
    train::Metrics fields = {{"epoch", epoch}, {"loss", mean_loss}, {"last_loss", loss.item<double>()}};
    if (measure) fields.push_back({measure_name, measure()});
    fields.push_back({unit + "_per_s", each * static_cast<double>(rows - rows_before) / (seconds - seconds_before)});
    metrics->append(fields);
  }
};

void load_weights(const Settings& settings, const nn::Module& model) {
  try {
    model.load_state_dict(io::load_safetensors(settings.load).tensors);
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.find(settings.load) != std::string::npos) throw;
    throw Error("--load " + settings.load + ": " + message);
  }
}

Training::Training(const Settings& settings, int64_t epochs, const nn::Module& model, optim::Optimizer& optimizer,
                   data::DataLoader& loader, std::string arguments)
    : state_(new State{settings, epochs, model, optimizer, loader, std::move(arguments)}) {
  if (!settings.load.empty()) load_weights(settings, model);
  if (settings.resume) state_->resume();
  if (!settings.metrics.empty())
    state_->metrics = std::make_unique<train::MetricsFile>(settings.metrics, loader.epoch());
}

Training::~Training() = default;

void Training::measure_epochs(std::function<double()> measure, std::string name) {
  state_->measure = std::move(measure);
  state_->measure_name = std::move(name);
}

void Training::show_last_loss() { state_->shows_last_loss = true; }

void Training::show_epochs_as(std::function<std::string(int64_t, double)> line) {
  state_->epoch_line = std::move(line);
}

void Training::keep_best(std::function<double()> score, int64_t patience) {
  state_->score = std::move(score);
  state_->patience = patience;
}

void Training::count_in(std::string unit, double each) {
  state_->unit = std::move(unit);
  state_->each = each;
}

void Training::before_steps(std::function<void(int64_t)> work) { state_->before_step = std::move(work); }

void Training::describe_weights(io::Metadata metadata) { state_->weights.metadata.merge(metadata); }

void Training::run(const Step& step) {
  State& state = *state_;
  const train::InterruptGuard guard;
  note(state.settings, state.settings.where);
  const bool trains = !state.is_over();
  while (!state.is_over()) state.run_epoch(step);
  state.captured.clear();
  state.window.close();
  if (trains && !state.settings.quiet) std::cout << "Training complete!" << std::endl;
  if (trains && !state.settings.checkpoint.empty()) state.save_checkpoint();
  if (!state.best.weights.empty()) state.model.load_state_dict(state.best.weights);
  if (!state.settings.save.empty()) io::save_safetensors(state.settings.save, state.model.state_dict(), state.weights);
}

void Training::finish(train::Metrics numbers) {
  if (!state_->metrics) return;
  numbers.push_back({"loss", state_->mean_loss});
  numbers.push_back({state_->unit + "_per_s", images_per_second()});
  numbers.push_back({"epochs", state_->loader.epoch()});
  numbers.push_back({"device", text(state_->settings.device)});
  numbers.push_back({"precision", text(state_->settings.precision)});
  numbers.push_back({"seed", state_->settings.seed});
  state_->metrics->finish(numbers);
}

double Training::images_per_second() const {
  return state_->seconds > 0 ? state_->each * static_cast<double>(state_->rows) / state_->seconds : 0;
}

}  // namespace percale::apps
