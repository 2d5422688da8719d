#include "learning.h"

#include <percale/nn/picture/axis.h>

#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "tutorial.h"

namespace percale::apps {
namespace {

using models::Representation;
constexpr const char *table_field = "percale.table", *model_field = "percale.model";

/// The model that flags, or the file of --load, describe.
TrainedModel begin_with(const Task& task, const CategoricalOptions& options, const TrainedModel* loaded) {
  if (loaded) return *loaded;
  const std::string represent = options.represent.empty() ? "embedding" : options.represent;
  return {task.schema, models::TableModel(model_options(task.schema, models::representation_named(represent),
                                                        options.dim, options.hidden))};
}

io::Metadata metadata_of(const TrainedModel& trained) {
  const models::TableModelOptions& options = trained.model.options();
  const nlohmann::ordered_json model = {
      {"representation", models::name_of(options.representation)}, {"dim", options.dim}, {"hidden", options.hidden}};
  return {{table_field, trained.schema.json()}, {model_field, model.dump()}};
}

int64_t batch_size(const Task& task, const CategoricalOptions& options) {
  return options.batch > 0 ? options.batch : std::clamp<int64_t>(task.train.count() / 100, 8, 256);
}

std::string arguments_of(const CategoricalOptions& options, const Task& task, const TrainedModel& trained,
                         const Settings& settings) {
  char rate[32];
  std::snprintf(rate, sizeof rate, "%.17g", options.lr);
  return "--target " + task.schema.target + " --represent " + models::name_of(trained.model.options().representation) +
         " --dim " + text(options.dim) + " --hidden " + text(options.hidden) + " --batch " +
         text(batch_size(task, options)) + " --lr " + rate + " --epochs " + text(options.epochs) + " --seed " +
         text(settings.seed) + " --precision " + text(settings.precision) + ", " + text(task.train.count()) +
         " rows of " + text(task.schema.categories.size() + task.schema.numbers.size()) + " columns";
}

/// Labels as the loader wants them: classes, or nothing of interest.
Tensor labels_of(const Task& task) {
  return task.is_classification() ? task.train.targets
                                  : zeros({task.train.count()}, {i64, task.train.targets.device()});
}

data::DataLoader loader_of(const Task& task, const CategoricalOptions& options, const Settings& settings) {
  return data::DataLoader(
      labels_of(task),
      {.batch_size = batch_size(task, options), .shuffle = true, .seed = settings.seed, .device = settings.device});
}

/// The rate of a step, falling in a line to 0 at the end.
double rate_at(int64_t step, const CategoricalOptions& options, const data::DataLoader& loader) {
  const auto steps = static_cast<double>(options.epochs * loader.steps());
  return options.lr * std::max(0.0, 1 - static_cast<double>(step) / steps);
}

void learn(const models::TableModel& model, const Task& task, optim::Optimizer& optimizer, data::DataLoader& loader) {
  auto [rows, labels] = loader.next();
  optimizer.zero_grad();
  loss_of(model, task, rows, labels).backward();
  optimizer.step();
}

/// Another way to represent the same categories, trained in the same way; its features and its score.
std::pair<int64_t, Score> compare(Representation representation, const Task& task, const CategoricalOptions& options,
                                  const Settings& settings) {
  manual_seed(settings.seed);
  const auto model =
      models::TableModel(model_options(task.schema, representation, options.dim, options.hidden)).to(settings.device);
  auto loader = loader_of(task, options, settings);
  optim::AdamW optimizer(model.parameters(), {.lr = options.lr});
  for (int64_t step = 0; step < options.epochs * loader.steps(); ++step) {
    optimizer.set_lr(rate_at(step, options, loader));
    learn(model, task, optimizer, loader);
  }
  return {model.features(), score(model, task)};
}

/// The three ways side by side; their scores for --metrics.
train::Metrics show_comparison(const Task& task, const TrainedModel& trained, const Score& own,
                               const CategoricalOptions& options, const Settings& settings) {
  train::Metrics metrics;
  std::printf("\n%-24s%16s%16s\n", "a category is", "numbers a row",
              task.is_classification() ? "test accuracy" : "test RMSE");
  for (const Representation way : {Representation::index, Representation::one_hot, Representation::embedding}) {
    const bool is_own = way == trained.model.options().representation;
    const auto [features, scored] =
        is_own ? std::pair(trained.model.features(), own) : compare(way, task, options, settings);
    std::printf("%-24s%16s%16s\n", models::name_of(way).c_str(),
                picture::number(static_cast<double>(features), 0).c_str(), task.score_text(scored.value).c_str());
    std::string name = models::name_of(way);
    std::replace(name.begin(), name.end(), '-', '_');
    metrics.push_back({name + "_" + task.score_name(), scored.value});
  }
  std::printf("%-24s%16s%16s\n\n", (task.baseline_name + " alone").c_str(), "", task.score_text(task.baseline).c_str());
  return metrics;
}

void show_score(const Task& task, const Score& own) {
  const std::string baseline = task.score_text(task.baseline);
  if (task.is_classification())
    std::printf("Test accuracy: %s (%lld of %lld); always %s: %s\n", task.score_text(own.value).c_str(),
                static_cast<long long>(own.correct), static_cast<long long>(task.test.count()),
                task.baseline_name.c_str(), baseline.c_str());
  else
    std::printf("Test RMSE: %s; always the mean: %s\n", task.score_text(own.value).c_str(), baseline.c_str());
}

void report(const Task& task, const TrainedModel& trained, const data::Table& table, const CategoricalOptions& options,
            const Settings& settings, Training& training) {
  const Score own = score(trained.model, task);
  show_score(task, own);
  train::Metrics metrics = {{"data", table.file},
                            {task.score_name(), own.value},
                            {"baseline", task.baseline},
                            {"train_rows", task.train.count()},
                            {"test_rows", task.test.count()}};
  if (task.is_classification()) metrics.push_back({"correct", own.correct});
  if (!options.represent.empty())
    for (const auto& metric : show_comparison(task, trained, own, options, settings)) metrics.push_back(metric);
  const auto rows = [](int64_t count) { return picture::number(static_cast<double>(count), 0); };
  const double rate = training.images_per_second();
  std::printf("Data: %s, %s rows to learn from and %s held out%s\n", table.file.c_str(),
              rows(task.train.count()).c_str(), rows(task.test.count()).c_str(),
              rate > 0 ? ("; " + picture::number(rate, 0) + " rows/s").c_str() : "");
  std::fflush(stdout);
  training.finish(metrics);
}

/// What is learnt from: one column as the tutorial shows it, or several, a line each.
void show_inputs(const data::Table& table, const data::TableSchema& schema) {
  if (schema.categories.size() == 1 && schema.numbers.empty())
    show_column(table[schema.categories[0].first], schema.categories[0].second);
  else
    show_columns(table, schema);
}

/// What --nearest names is better known before the work than after it.
void require_nearest(const data::TableSchema& schema, const std::string& column) {
  std::vector<std::string> names;
  for (const auto& [name, _] : schema.categories) names.push_back(name);
  if (column.empty() || std::find(names.begin(), names.end(), column) != names.end()) return;
  const std::string meant = nearest(column, names);
  throw Error("--nearest " + column + ": expected a column of categories that is learnt from" +
              (meant.empty() ? "" : "; did you mean " + meant + "?"));
}

}  // namespace

models::TableModelOptions model_options(const data::TableSchema& schema, Representation representation, int64_t dim,
                                        int64_t hidden) {
  models::TableModelOptions options{.numbers = static_cast<int64_t>(schema.numbers.size()),
                                    .outputs = schema.classes ? schema.classes->count() : 1,
                                    .representation = representation,
                                    .dim = dim,
                                    .hidden = hidden};
  for (const auto& [_, categories] : schema.categories) options.categories.push_back(categories.count());
  return options;
}

TrainedModel load_model(const std::string& path) {
  const io::Safetensors file = io::load_safetensors(path);
  const auto table = file.metadata.find(table_field), model = file.metadata.find(model_field);
  if (table == file.metadata.end() || model == file.metadata.end())
    throw Error("--load " + path + ": expected what categorical has saved, found weights without a dictionary");
  try {
    const auto json = nlohmann::json::parse(model->second);
    const auto schema = data::TableSchema::from_json(table->second);
    const models::TableModel loaded(
        model_options(schema, models::representation_named(json.at("representation").get<std::string>()),
                      json.at("dim").get<int64_t>(), json.at("hidden").get<int64_t>()));
    loaded.load_state_dict(file.tensors);
    return {schema, loaded};
  } catch (const nlohmann::json::exception& error) {
    throw Error("--load " + path + ": " + model_field + ": " + error.what());
  } catch (const Error& error) {
    throw Error("--load " + path + ": " + error.what());
  }
}

TrainedModel train(const data::Table& table, const CategoricalOptions& options, const Settings& settings) {
  std::optional<TrainedModel> loaded;
  if (!settings.load.empty()) loaded = load_model(settings.load);
  const Task task = make_task(table, options, settings, loaded ? &loaded->schema : nullptr);
  require_nearest(task.schema, options.nearest);
  if (!loaded && !settings.quiet) show_inputs(table, task.schema);
  if (task.left_out > 0)
    note(settings, picture::number(static_cast<double>(task.left_out), 0) + " rows without " + task.schema.target +
                       " are left out");
  const TrainedModel trained = begin_with(task, options, loaded ? &*loaded : nullptr);
  const models::TableModel& model = trained.model;
  model.to(settings.device);

  auto loader = loader_of(task, options, settings);
  optim::AdamW optimizer(model.parameters(), {.lr = options.lr});
  Training training(settings, options.epochs, model, optimizer, loader, arguments_of(options, task, trained, settings));
  training.describe_weights(metadata_of(trained));
  training.measure_epochs([&] { return score(model, task).value; }, task.score_name());
  training.before_steps([&](int64_t step) { optimizer.set_lr(rate_at(step, options, loader)); });
  training.run([&](const Tensor& rows, const Tensor& labels) {
    optimizer.zero_grad();
    Tensor loss = loss_of(model, task, rows, labels);
    loss.backward();
    optimizer.step();
    return loss;
  });
  report(task, trained, table, options, settings, training);
  return trained;
}

void predict(const TrainedModel& trained, const std::string& path, Device device) {
  const data::Table table = data::read_table(path);
  const data::TableSchema& schema = trained.schema;
  trained.model.to(device);
  const Tensor outputs = answers(trained.model, encode(schema, table, device));
  std::cout << data::csv_line(schema.classes ? std::vector<std::string>{schema.target, "probability"}
                                             : std::vector<std::string>{schema.target});
  const Tensor chances = schema.classes ? softmax(outputs, 1) : outputs;
  const Tensor best = argmax(outputs, 1);
  for (int64_t row = 0; row < table.rows(); ++row) {
    const int64_t code = best.data<int64_t>()[row];
    const float value = chances.data<float>()[row * chances.size(1) + code];
    char digits[40];
    std::snprintf(digits, sizeof digits, schema.classes ? "%.4f" : "%.6g",
                  schema.classes ? value : schema.target_scale.mean + value * schema.target_scale.deviation);
    if (schema.classes)
      std::cout << data::csv_line({schema.classes->names()[static_cast<size_t>(code)], digits});
    else
      std::cout << data::csv_line({digits});
  }
  std::cout.flush();
}

}  // namespace percale::apps
