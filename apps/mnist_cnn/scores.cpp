#include "scores.h"

#include <percale/nn/picture/axis.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace percale::apps {
namespace {

Tensor confusion_matrix(const Scores& scores, int64_t classes) {
  const Tensor counts = zeros({classes, classes}, {i64, cpu_device});
  for (int64_t i = 0; i < scores.labels.numel(); ++i)
    ++counts.data<int64_t>()[scores.labels.data<int64_t>()[i] * classes + scores.predicted.data<int64_t>()[i]];
  return counts;
}

/// The rows at which the model is wrong, the surest first.
std::vector<int64_t> worst_mistakes(const Scores& scores, size_t most) {
  const Tensor chances = softmax(scores.outputs, 1);
  const int64_t classes = chances.size(1);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < scores.labels.numel(); ++i)
    if (scores.labels.data<int64_t>()[i] != scores.predicted.data<int64_t>()[i]) rows.push_back(i);
  auto sureness = [&](int64_t row) {
    return chances.data<float>()[row * classes + scores.predicted.data<int64_t>()[row]];
  };
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) { return sureness(a) > sureness(b); });
  if (rows.size() > most) rows.resize(most);
  return rows;
}

picture::Panel mistakes_panel(const Scores& scores, const Tensor& images) {
  const std::vector<int64_t> rows = worst_mistakes(scores, 24);
  std::vector<std::string> captions;
  for (const int64_t row : rows)
    captions.push_back(std::to_string(scores.labels.data<int64_t>()[row]) + ", not " +
                       std::to_string(scores.predicted.data<int64_t>()[row]));
  const Tensor shown = Tensor::empty({static_cast<int64_t>(rows.size()), 1, 28, 28}, images.options());
  for (size_t i = 0; i < rows.size(); ++i) shown[static_cast<int64_t>(i)].copy_(images[rows[i]]);
  return picture::image_grid(shown, {.title = rows.empty() ? "No mistakes" : "The mistakes it is surest of",
                                     .captions = captions,
                                     .columns = 12,
                                     .image_size = 78});
}

}  // namespace

Scores score(const models::SimpleCNN& model, const data::LabelledImages& images, Device device) {
  const TraceRange range("score");
  const NoGradGuard no_grad;
  data::DataLoader loader(images, {.batch_size = 250, .device = device});
  Scores scores{.labels = images.labels,
                .predicted = Tensor::empty({images.count()}, {i64, cpu_device}),
                .outputs = Tensor::empty({images.count(), 10}),
                .embeddings = Tensor::empty({images.count(), 128})};
  int64_t row = 0;
  for (auto [data, labels] : loader) {
    auto [output, embeddings] = model(data);
    const int64_t end = row + data.size(0);
    scores.outputs.slice(0, row, end).copy_(output);
    scores.embeddings.slice(0, row, end).copy_(embeddings);
    scores.predicted.slice(0, row, end).copy_(argmax(output, 1));
    row = end;
  }
  for (int64_t i = 0; i < images.count(); ++i)
    scores.correct += scores.predicted.data<int64_t>()[i] == scores.labels.data<int64_t>()[i];
  return scores;
}

void report(const Scores& scores, const data::Mnist& mnist, Training& training, train::Metrics more) {
  std::printf("Test accuracy: %.2f %% (%lld of %lld)\n", 100 * scores.accuracy(),
              static_cast<long long>(scores.correct), static_cast<long long>(scores.labels.numel()));
  const std::string what = mnist.is_generated() ? "generated digits, for training and for the test" : mnist.name;
  const double rate = training.images_per_second();
  std::printf("Data: %s%s\n", what.c_str(), rate > 0 ? ("; " + picture::number(rate, 0) + " images/s").c_str() : "");
  std::fflush(stdout);
  more.insert(more.begin(), {{"data", mnist.name},
                             {"test_accuracy", scores.accuracy()},
                             {"correct", scores.correct},
                             {"of", scores.labels.numel()}});
  training.finish(std::move(more));
}

void draw(const std::string& path, const Scores& scores, const data::Mnist& mnist) {
  const TraceRange range("picture");
  const auto components = picture::principal_components(scores.embeddings);
  char title[64];
  std::snprintf(title, sizeof title, "SimpleCNN: %.2f %% of %s test images", 100 * scores.accuracy(),
                picture::number(static_cast<double>(scores.labels.numel()), 0).c_str());
  picture::save(
      path,
      {picture::heat_map(confusion_matrix(scores, scores.outputs.size(1)),
                         {.title = "What the model sees in each digit",
                          .row_label = "digit",
                          .column_label = "seen as",
                          .power = 0.35}),
       picture::scatter(components.project(scores.embeddings), scores.labels,
                        {.title = "Embeddings of the test images, from where they spread most",
                         .x_label = components.x_label(),
                         .y_label = components.y_label()}),
       mistakes_panel(scores, mnist.test.images)},
      {.title = title, .note = "trained and tested on " + (mnist.is_generated() ? "generated digits" : mnist.name)});
}

}  // namespace percale::apps
