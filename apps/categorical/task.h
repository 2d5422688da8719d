// A table made into numbers for a model, its rows split into those learnt from and those held out, and models scored.
#pragma once

#include "options.h"

namespace percale::apps {

/// Rows as a model takes them, on its device.
struct Rows {
  Tensor codes;    ///< i64 [rows, categories]
  Tensor numbers;  ///< f32 [rows, numbers]
  Tensor targets;  ///< i64 [rows] classes, or f32 [rows] standardised; undefined where there is no target

  int64_t count() const { return codes.size(0); }
  /// The rows that `index` (i64) names.
  Rows at(const Tensor& index) const;
};

/// How well a model does on the rows that it has not seen.
struct Score {
  double value = 0;     ///< accuracy, or root-mean-square error in the target's unit
  int64_t correct = 0;  ///< of classes
};

struct Task {
  data::TableSchema schema;
  Rows train, test;
  int64_t left_out = 0;       ///< rows without a target
  std::string baseline_name;  ///< the majority class, or `the mean`
  double baseline = 0;        ///< how well that does on the held-out rows

  bool is_classification() const { return schema.classes.has_value(); }
  /// What a score is called in metrics: test_accuracy or test_rmse.
  std::string score_name() const { return is_classification() ? "test_accuracy" : "test_rmse"; }
  std::string score_text(double value) const;
};

/// Every fifth row, drawn by the seed, is held out. With `schema` its categories and scales are used, else those that
/// the table and the options ask for.
Task make_task(const data::Table& table, const CategoricalOptions& options, const Settings& settings,
               const data::TableSchema* schema);

Rows encode(const data::TableSchema& schema, const data::Table& table, Device device);

/// What a model says of rows, some thousands at a time, without history: f32 [rows, outputs].
Tensor answers(const models::TableModel& model, const Rows& rows);
Score score(const models::TableModel& model, const Task& task);

/// The loss of a batch of the training rows, whose classes are `labels`.
Tensor loss_of(const models::TableModel& model, const Task& task, const Tensor& rows, const Tensor& labels);

}  // namespace percale::apps
