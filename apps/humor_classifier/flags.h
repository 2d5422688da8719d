// What humor_classifier can be asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../program/program.h"
#include "task.h"

namespace percale::apps {

struct HumorFlags {
  // What to learn from.
  std::string data, text_column, label_column;
  std::vector<std::string> rows;
  // What learns, and how.
  std::string encoder, model, pooling, fine_tune;
  std::optional<int64_t> epochs, batch;
  std::optional<double> lr;
  int64_t max_length = 0, patience = 0;
  bool no_truncate = false;
  // What to do with it.
  std::vector<std::string> predict;
  std::string folder;

  void add_to(Program& program);
  /// Throws UsageError where flags make no sense together, and an error where a file cannot be written.
  void check(const Settings& settings) const;

  bool is_bag() const { return encoder == "bag" || (encoder.empty() && model.empty()); }
  bool is_fine_tuned() const { return !fine_tune.empty(); }
  /// The model's folder holds the head that --export wrote.
  bool has_head() const;
  /// With weights and texts to judge, and nothing to learn from.
  bool only_predicts(const Settings& settings) const {
    return data.empty() && (!settings.load.empty() || (has_head() && !predict.empty()));
  }
  /// The settings without graphs where texts differ in length from step to step.
  Settings adapted(const Settings& settings) const;

  /// 100, as the tutorial; 1 when the encoder learns along.
  int64_t epochs_or_default() const { return epochs.value_or(is_fine_tuned() ? 1 : 100); }
  /// All texts at once, as the tutorial; 32 when the encoder learns along.
  int64_t batch_of(int64_t count) const;
  /// 1e-3 for the head, as the tutorial; 1e-2 for a bag; 5e-5 for an encoder's layers.
  double lr_or_default() const { return lr.value_or(is_fine_tuned() ? 5e-5 : is_bag() ? 1e-2 : 1e-3); }
  /// Of --fine-tune: how many layers learn; -1: all, and the embeddings.
  int64_t layers() const;
  /// Of --rows: to learn from, for validation, for the test.
  std::vector<int64_t> row_counts() const;
  /// What decides the result of a run, for its checkpoints.
  std::string arguments(const Task& task, const Settings& settings) const;
};

/// The texts and labels of --data, or the shipped ones, split.
Task make_task(const HumorFlags& flags, const Settings& settings);

}  // namespace percale::apps
