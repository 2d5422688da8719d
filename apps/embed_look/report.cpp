#include "report.h"

#include <percale/nn/picture/axis.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

namespace percale::apps {
namespace {

using picture::percent;

void print_line(bool good, const std::string& name, const std::string& measure, const std::string& verdict) {
  std::printf("%s %-12s %-28s %s\n", good ? " " : "!", name.c_str(), measure.c_str(), verdict.c_str());
}

std::string key_of(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

/// The share of the most frequent label.
double share_of_commonest(const Tensor& labels) {
  std::map<int64_t, int64_t> counts;
  int64_t most = 0;
  for (const int64_t label : labels.span<int64_t>()) most = std::max(most, ++counts[label]);
  return static_cast<double>(most) / static_cast<double>(labels.numel());
}

}  // namespace

void print(const embeddings::CheckUp& checked, train::Metrics& numbers) {
  for (const embeddings::Finding& finding : checked.findings) {
    print_line(finding.good, finding.name, finding.measure, finding.verdict);
    for (size_t i = 0; i < finding.examples.size(); ++i)
      std::printf("%s%s%s", i ? ", " : "               such as ", finding.examples[i].c_str(),
                  i + 1 < finding.examples.size() ? "" : "\n");
    numbers.push_back({key_of(finding.name), finding.value});
  }
}

void print_labels(const embeddings::CheckUp& checked, const embeddings::Labels& labels, train::Metrics& numbers) {
  const double accuracy = embeddings::label_accuracy(checked, labels.numbers),
               common = share_of_commonest(labels.numbers);
  const bool good = accuracy > common;
  print_line(
      good, "labels", percent(accuracy, 1) + " of neighbours",
      good ? "the nearest row has the same label; always the commonest label would be " + percent(common, 1)
           : "no better than always the commonest label (" + percent(common, 1) + "): the vectors do not know of it");
  numbers.push_back({"nearest_label_accuracy", accuracy});
  numbers.push_back({"commonest_label", common});
}

void print_comparison(const embeddings::Comparison& found, const std::vector<std::string>& names,
                      train::Metrics& numbers) {
  print_line(found.good, "against", percent(found.overlap, 1) + " of the top 10", found.verdict);
  if (!found.moved.empty()) {
    std::printf("  the rows that moved most (neighbours kept):");
    for (size_t i = 0; i < found.moved.size(); ++i)
      std::printf("%s %s (%s)", i ? "," : "", embeddings::row_name(names, found.moved[i]).c_str(),
                  percent(found.kept[i], 0).c_str());
    std::printf("\n");
  }
  std::vector<double> moved(found.moved.begin(), found.moved.end());
  numbers.push_back({"overlap", found.overlap});
  numbers.push_back({"cosine_with_old", found.cosine});
  numbers.push_back({"moved", moved});
}

void draw(const std::string& path, const embeddings::NamedVectors& all, const embeddings::CheckUp& checked,
          const embeddings::Labels& labels, const std::string& source) {
  constexpr int64_t most = 20'000, most_names = 20;
  require(checked.queries.defined(), "picture", "two vectors of finite numbers or more make a map");
  const int64_t sound = checked.queries.numel(), shown = std::min(sound, most);
  const Tensor chosen = Tensor::empty({shown}, {i64, cpu_device});
  for (int64_t i = 0; i < shown; ++i) chosen.data<int64_t>()[i] = checked.queries.data<int64_t>()[i * sound / shown];
  const Tensor some = index_select(all.vectors, 0, chosen);
  const bool named = labels.numbers.defined() && max(labels.numbers).item<int64_t>() < most_names &&
                     min(labels.numbers).item<int64_t>() >= 0;
  const Tensor colours = named ? index_select(labels.numbers, 0, chosen) : zeros({shown}, {i64, cpu_device});
  const auto components = picture::principal_components(some);
  picture::ScatterOptions options = {.title = "The vectors, from where they spread most",
                                     .x_label = components.x_label(),
                                     .y_label = components.y_label(),
                                     .names = named ? labels.names : std::vector<std::string>{""},
                                     .size = 560};
  picture::save(
      path, picture::scatter(components.project(some), colours, options),
      {.title = source, .note = std::to_string(shown) + " of " + std::to_string(all.vectors.size(0)) + " vectors"});
}

}  // namespace percale::apps
