#include "vectors.h"

#include <percale/nn/picture/axis.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "frame.h"

namespace percale::apps {
namespace {

constexpr const char* other = "(missing or unseen)";

/// The learnt vectors of a column on the CPU: [n + 1, dim].
Tensor vectors_of(const TrainedModel& trained, size_t column) { return trained.model.vectors(column).to(cpu_device); }

void require_embeddings(const TrainedModel& trained, const std::string& flag) {
  if (trained.model.options().representation != models::Representation::embedding)
    throw Error(flag + ": expected categories represented by embeddings, found " +
                models::name_of(trained.model.options().representation));
  if (trained.schema.categories.empty()) throw Error(flag + ": expected a column of categories, found numbers alone");
}

/// Without what would end a field or a line of the projector's files.
std::string one_field(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char byte) { return byte == '\t' || byte == '\n' || byte == '\r'; }, ' ');
  return name;
}

std::string file_part(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

void write_projector(const std::string& stem, const Tensor& vectors, const data::Categories& categories) {
  std::string numbers, names;
  for (int64_t row = 0; row < vectors.size(0); ++row) {
    for (int64_t i = 0; i < vectors.size(1); ++i) {
      char digits[32];
      std::snprintf(digits, sizeof digits, "%s%.9g", i ? "\t" : "", vectors[row].data<float>()[i]);
      numbers += digits;
    }
    numbers += '\n';
    names += one_field(row < categories.count() ? categories.names()[static_cast<size_t>(row)] : other) + '\n';
  }
  io::write_file(stem + ".tsv", numbers);
  io::write_file(stem + ".names.tsv", names);
}

/// Of each category: `Cuba 0.98, Haiti 0.97, Laos 0.91`
std::vector<std::string> nearest_texts(const Tensor& vectors, const std::vector<std::string>& names) {
  const auto count = static_cast<int64_t>(names.size()), k = std::min<int64_t>(4, count);
  const Tensor rows = vectors.slice(0, 0, count);
  const auto [similarity, index] = nearest_neighbours(rows, rows, k);
  std::vector<std::string> texts(names.size());
  for (int64_t row = 0; row < count; ++row)
    for (int64_t i = 0, shown = 0; i < k && shown < 3; ++i) {
      const int64_t near = index.data<int64_t>()[row * k + i];
      if (near == row) continue;
      char number[16];
      std::snprintf(number, sizeof number, " %.2f", similarity.data<float>()[row * k + i]);
      texts[static_cast<size_t>(row)] += (shown++ ? ", " : "") + names[static_cast<size_t>(near)] + number;
    }
  return texts;
}

std::vector<size_t> columns_with_map(const TrainedModel& trained) {
  std::vector<size_t> columns;
  if (trained.model.options().representation == models::Representation::embedding)
    for (size_t i = 0; i < trained.schema.categories.size(); ++i)
      if (trained.schema.categories[i].second.count() > 2 && trained.model.vectors(i).size(1) > 1) columns.push_back(i);
  return columns;
}

picture::Panel panel_of(const Tensor& vectors, const std::string& name, const data::Categories& categories) {
  const Tensor rows = vectors.slice(0, 0, categories.count());
  const auto components = picture::principal_components(rows);
  std::vector<std::string> names;
  for (const std::string& category : categories.names()) names.push_back(short_name(category));
  return picture::labelled_scatter(components.project(rows), names,
                                   {.title = name, .x_label = components.x_label(), .y_label = components.y_label()});
}

}  // namespace

void write_vectors(const TrainedModel& trained, const std::string& path) {
  require_embeddings(trained, "--embeddings");
  const std::filesystem::path file = path;
  const std::string stem = (file.parent_path() / file.stem()).string();
  const auto& columns = trained.schema.categories;
  for (size_t i = 0; i < columns.size(); ++i) {
    const Tensor vectors = vectors_of(trained, i);
    const std::string own = columns.size() == 1 ? stem : stem + "." + file_part(columns[i].first);
    io::save_npy(columns.size() == 1 ? path : own + file.extension().string(), vectors);
    write_projector(own, vectors, columns[i].second);
  }
}

void show_nearest(const TrainedModel& trained, const std::string& column) {
  require_embeddings(trained, "--nearest");
  const auto& columns = trained.schema.categories;
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const auto& own) { return own.first == column; });
  if (found == columns.end())
    throw Error("--nearest " + column + ": expected one of the model's columns of categories");
  const Tensor vectors = vectors_of(trained, static_cast<size_t>(found - columns.begin()));
  const std::vector<std::string>& names = found->second.names();
  const std::vector<std::string> nearest = nearest_texts(vectors, names);
  size_t width = 0;
  for (const std::string& name : names) width = std::max(width, name.size());
  std::printf("\n%s as %lld numbers, and its nearest by cosine\n", column.c_str(),
              static_cast<long long>(vectors.size(1)));
  for (size_t row = 0; row < names.size(); ++row) {
    std::string line = names[row] + std::string(width - names[row].size(), ' ') + " ";
    for (int64_t i = 0; i < vectors.size(1); ++i) {
      char digits[32];
      std::snprintf(digits, sizeof digits, " %7.4f", vectors[static_cast<int64_t>(row)].data<float>()[i]);
      line += digits;
    }
    std::printf("%s   %s\n", line.c_str(), nearest[row].c_str());
  }
  std::fflush(stdout);
}

bool has_map(const TrainedModel& trained) { return !columns_with_map(trained).empty(); }

void draw_vectors(const TrainedModel& trained, const std::string& path, const std::string& note) {
  const TraceRange range("picture");
  const auto& columns = trained.schema.categories;
  std::vector<size_t> order = columns_with_map(trained);
  require(!order.empty(), "picture", "expected a column of at least 3 categories with 2 numbers each, found none");
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return columns[a].second.count() > columns[b].second.count(); });
  constexpr size_t most_panels = 6;
  order.resize(std::min(order.size(), most_panels));
  std::vector<picture::Panel> panels;
  for (const size_t column : order)
    panels.push_back(panel_of(vectors_of(trained, column), columns[column].first, columns[column].second));
  picture::save(path, panels,
                {.title = "What was learnt of each category", .note = note, .columns = order.size() > 4 ? 3 : 2});
}

void write_codes(const data::Table& table, const data::TableSchema& schema, const std::string& path) {
  std::vector<std::string> names;
  std::vector<Tensor> codes;
  for (const auto& [name, categories] : schema.categories) {
    names.push_back(name);
    codes.push_back(categories.codes(table[name]));
  }
  if (names.empty())
    throw Error("--codes: " + table.file + " has no columns of categories; --categories A,B names some");
  io::AtomicFile file(path);
  std::string lines = data::csv_line(names);
  for (int64_t row = 0; row < table.rows(); ++row) {
    for (size_t i = 0; i < codes.size(); ++i) names[i] = std::to_string(codes[i].data<int64_t>()[row]);
    lines += data::csv_line(names);
    if (lines.size() < 1 << 16) continue;
    file.write(lines);
    lines.clear();
  }
  file.write(lines);
  file.commit();
}

}  // namespace percale::apps
