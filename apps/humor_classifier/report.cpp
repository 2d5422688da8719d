#include "report.h"

#include <percale/nn/picture/axis.h>

#include <charconv>
#include <cstdio>

namespace percale::apps {
namespace {

/// Probabilities f32 [end - begin] on the CPU, some hundred texts at a time, without history or dropout.
Tensor probabilities(const Answers& answers, int64_t begin, int64_t end, const nn::Module& module, Device device) {
  const TraceRange range("score");
  const NoGradGuard no_grad;
  const bool trains = module.training();
  module.eval();
  constexpr int64_t most = 256;
  const Tensor result = Tensor::empty({end - begin});
  for (int64_t row = begin; row < end; row += most) {
    const int64_t last = std::min(row + most, end);
    result.slice(0, row - begin, last - begin).copy_(answers(arange(row, last).to(device)).squeeze(1));
  }
  module.train(trains);
  return result;
}

/// As Python prints the f32 that it is: 0.6931471824645996.
std::string python_text(double value) {
  char digits[32];
  return {digits, std::to_chars(digits, std::end(digits), value).ptr};
}

std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string count_text(int64_t count) { return picture::number(static_cast<double>(count), 0); }

train::Metrics metrics_of(const train::BinaryScores& scores) {
  return {{"test_accuracy", scores.accuracy()},
          {"correct", scores.true_yes + scores.true_no},
          {"of", scores.count()},
          {"precision", scores.precision()},
          {"recall", scores.recall()},
          {"f1", scores.f1()},
          {"auc", scores.auc}};
}

void draw(const std::string& path, const train::BinaryScores& scores, const Task& task) {
  picture::save(path,
                picture::line_chart({{"AUC " + decimal(scores.auc), scores.roc}, {"chance", {{0, 0}, {1, 1}}}},
                                    {.title = "ROC curve of " + count_text(task.test) + " test texts: accuracy " +
                                              picture::percent(scores.accuracy(), 2) + ", F1 " + decimal(scores.f1()),
                                     .x_label = "of those without humour, the share called humour",
                                     .y_label = "of those with humour",
                                     .width = 420,
                                     .height = 420}),
                {.note = "learnt from " + count_text(task.train) + " texts of " + task.name});
}

}  // namespace

void prepare(Training& training, const Task& task, const Answers& answers, const Classifier& classifier,
             const HumorFlags& flags, const Settings& settings) {
  const auto watched = [&] {
    return probabilities(answers, task.watched_begin(), task.watched_end(), classifier.module, settings.device);
  };
  const auto labels = [&] { return task.labels.slice(0, task.watched_begin(), task.watched_end()); };
  training.count_in("texts", 1);
  training.show_epochs_as(
      [](int64_t epoch, double loss) { return "Epoch " + std::to_string(epoch) + ", Loss: " + python_text(loss); });
  training.measure_epochs([=] { return train::binary_scores(watched(), labels()).accuracy(); },
                          task.validation > 0 ? "validation_accuracy" : "test_accuracy");
  if (flags.patience > 0)
    training.keep_best([=] { return binary_cross_entropy(watched(), labels().to(f32)).template item<double>(); },
                       flags.patience);
}

void report(const Task& task, const Answers& answers, const Classifier& classifier, Training& training,
            const Settings& settings) {
  const auto scores_of = [&](int64_t begin, int64_t end) {
    return train::binary_scores(probabilities(answers, begin, end, classifier.module, settings.device),
                                task.labels.slice(0, begin, end));
  };
  const train::BinaryScores scores = scores_of(task.test_begin(), task.test_begin() + task.test);
  std::printf("Test accuracy: %s (%lld of %lld), F1 %.4f, AUC %.4f\n", picture::percent(scores.accuracy(), 2).c_str(),
              static_cast<long long>(scores.true_yes + scores.true_no), static_cast<long long>(task.test), scores.f1(),
              scores.auc);
  const double rate = training.images_per_second();
  std::printf("Data: %s, %s texts to learn from, %s for validation and %s for the test%s\n", task.name.c_str(),
              count_text(task.train).c_str(), count_text(task.validation).c_str(), count_text(task.test).c_str(),
              rate > 0 ? ("; " + picture::number(rate, 0) + " texts/s").c_str() : "");
  std::fflush(stdout);
  train::Metrics metrics = metrics_of(scores);
  metrics.insert(metrics.begin(), {{"data", task.name}, {"train_texts", task.train}});
  if (task.validation > 0)
    metrics.push_back({"validation_accuracy", scores_of(task.train, task.test_begin()).accuracy()});
  training.finish(std::move(metrics));
  if (!settings.picture.empty()) draw(settings.picture, scores, task);
}

void predict(const Classifier& classifier, const HumorFlags& flags, const Settings& settings) {
  const Tensor chances =
      probabilities(classifier.read(flags.predict), 0, std::ssize(flags.predict), classifier.module, settings.device);
  for (size_t i = 0; i < flags.predict.size(); ++i) {
    const float chance = chances.data<float>()[i];
    std::printf("%.4f %-3s  %s\n", chance, chance > 0.5f ? "yes" : "no", flags.predict[i].c_str());
  }
}

}  // namespace percale::apps
