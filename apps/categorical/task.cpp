#include "task.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace percale::apps {
namespace {

/// What is right on the held-out rows for who knows the majority class, or the mean, of the others.
void measure_baseline(Task& task) {
  const Tensor train = task.train.targets.to(cpu_device), test = task.test.targets.to(cpu_device);
  if (task.is_classification()) {
    std::vector<int64_t> counts(static_cast<size_t>(task.schema.classes->count()));
    for (const int64_t label : train.span<int64_t>()) ++counts[static_cast<size_t>(label)];
    const int64_t majority = std::max_element(counts.begin(), counts.end()) - counts.begin();
    const auto labels = test.span<int64_t>();
    task.baseline_name = task.schema.classes->names()[static_cast<size_t>(majority)];
    task.baseline =
        static_cast<double>(std::count(labels.begin(), labels.end(), majority)) / static_cast<double>(labels.size());
    return;
  }
  double squares = 0;  // the mean of the training rows is 0
  for (const float value : test.span<float>()) squares += static_cast<double>(value) * value;
  task.baseline_name = "the mean";
  task.baseline = std::sqrt(squares / static_cast<double>(test.numel())) * task.schema.target_scale.deviation;
}

Rows with_targets(const data::TableSchema& schema, const data::Table& table, Device device) {
  Rows rows = encode(schema, table, device);
  rows.targets = schema.targets(table).to(device);
  return rows;
}

}  // namespace

Rows Rows::at(const Tensor& index) const {
  const auto pick = [&](const Tensor& all) {
    return !all.defined() || all.numel() == 0 ? all : index_select(all, 0, index);
  };
  return {pick(codes), pick(numbers), pick(targets)};
}

std::string Task::score_text(double value) const {
  char text[48];
  std::snprintf(text, sizeof text, is_classification() ? "%.2f %%" : "%.4g", is_classification() ? 100 * value : value);
  return text;
}

Rows encode(const data::TableSchema& schema, const data::Table& table, Device device) {
  return {schema.codes(table).to(device), schema.values(table).to(device), {}};
}

Task make_task(const data::Table& whole, const CategoricalOptions& options, const Settings& settings,
               const data::TableSchema* schema) {
  Task task;
  task.schema = schema ? *schema
                       : data::TableSchema::of(whole, {.columns = column_list(options.columns),
                                                       .categories = column_list(options.categories),
                                                       .target = options.target});
  const std::vector<int64_t> present = data::present_rows(whole, task.schema.target);
  if (present.size() < 5)
    throw Error(whole.file + ": expected at least 5 rows with a value of the target " + task.schema.target +
                ", found " + std::to_string(present.size()));
  task.left_out = whole.rows() - static_cast<int64_t>(present.size());
  const data::Table table = task.left_out == 0 ? whole : data::select_rows(whole, present);
  const auto [train, _, test] = data::split_rows(table.rows(), 0, table.rows() / 5, settings.seed);
  if (!schema) task.schema.fit(table, train);
  const Rows all = with_targets(task.schema, table, cpu_device);
  const auto part = [&](const std::vector<int64_t>& rows) {
    const Tensor index = Tensor::empty({static_cast<int64_t>(rows.size())}, {i64, cpu_device});
    std::copy(rows.begin(), rows.end(), index.data<int64_t>());
    const Rows picked = all.at(index);
    return Rows{picked.codes.to(settings.device), picked.numbers.to(settings.device),
                picked.targets.to(settings.device)};
  };
  task.train = part(train);
  task.test = part(test);
  measure_baseline(task);
  return task;
}

Tensor answers(const models::TableModel& model, const Rows& rows) {
  const TraceRange range("score");
  const NoGradGuard no_grad;
  constexpr int64_t step = 8192;
  Tensors parts;
  for (int64_t begin = 0; begin < rows.count(); begin += step)
    parts.push_back(model(rows.codes.slice(0, begin, begin + step), rows.numbers.slice(0, begin, begin + step)).first);
  return cat(parts).to(f32).to(cpu_device);
}

Score score(const models::TableModel& model, const Task& task) {
  const Tensor outputs = answers(model, task.test), targets = task.test.targets.to(cpu_device);
  const int64_t count = targets.numel();
  if (task.is_classification()) {
    const Tensor predicted = argmax(outputs, 1);
    int64_t correct = 0;
    for (int64_t i = 0; i < count; ++i) correct += predicted.data<int64_t>()[i] == targets.data<int64_t>()[i];
    return {static_cast<double>(correct) / static_cast<double>(count), correct};
  }
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double error = static_cast<double>(outputs.data<float>()[i]) - targets.data<float>()[i];
    squares += error * error;
  }
  return {std::sqrt(squares / static_cast<double>(count)) * task.schema.target_scale.deviation, 0};
}

Tensor loss_of(const models::TableModel& model, const Task& task, const Tensor& rows, const Tensor& labels) {
  const Rows batch = task.train.at(rows);
  const Tensor output = model(batch.codes, batch.numbers).first;
  if (task.is_classification()) return cross_entropy(output, labels);
  return mse_loss(output.squeeze(1).to(f32), batch.targets);
}

}  // namespace percale::apps
