// A model of a table trained, compared with the other ways to represent a category, saved, loaded and asked.
#pragma once

#include "../program/training.h"
#include "task.h"

namespace percale::apps {

/// A model and what the table's columns are to it: what --save writes and --load reads.
struct TrainedModel {
  data::TableSchema schema;
  models::TableModel model;
};

models::TableModelOptions model_options(const data::TableSchema& schema, models::Representation representation,
                                        int64_t dim, int64_t hidden);

/// What --load names, on the CPU. An error if it is not of this program.
TrainedModel load_model(const std::string& path);

/// Trains as the settings ask, prints and reports the score, and with --represent those of the other ways.
TrainedModel train(const data::Table& table, const CategoricalOptions& options, const Settings& settings);

/// Prints, as CSV, what the model says of each row of --predict: a class and its probability, or a number.
void predict(const TrainedModel& trained, const std::string& path, Device device);

}  // namespace percale::apps
