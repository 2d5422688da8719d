#include "tutorial.h"

#include <percale/nn/picture/axis.h>

#include <cstdio>
#include <iostream>

#include "frame.h"

namespace percale::apps {
namespace {

constexpr std::string_view six_rows = "category\ncat\ndog\nbird\ncat\nbird\ndog\n";
constexpr int64_t most_rows_drawn = 24, most_columns_drawn = 60;

/// The tutorial's model: a row of numbers a category, and one number from them.
struct SimpleModel : nn::ModuleOf<SimpleModel> {
  nn::Embedding embedding;
  nn::Linear fc;

  SimpleModel(int64_t num_classes, int64_t embedding_dim)
      : embedding(add("embedding", nn::Embedding(num_classes, embedding_dim))),
        fc(add("fc", nn::Linear(embedding_dim, 1))) {}

  std::pair<Tensor, Tensor> forward(const Tensor& x) const {
    const Tensor embeddings = embedding(x);
    return {fc(embeddings), embeddings};
  }
};

/// One-hot vectors i64 [rows, n]; 0 everywhere where there is no code.
Tensor one_hot_rows(const data::TextColumn& column, const data::Categories& categories) {
  const Tensor codes = categories.codes(column);
  for (int64_t& code : codes.span<int64_t>())
    if (code < 0) code = categories.count();
  return models::one_hot_or_zeros(codes, categories.count());
}

/// The one-hot matrix of a column's first rows.
picture::Panel one_hot_panel(const data::TextColumn& column, const data::Categories& categories) {
  const int64_t rows = std::min(column.rows(), most_rows_drawn),
                width = std::min(categories.count(), most_columns_drawn);
  std::vector<std::string> row_names;
  for (int64_t row = 0; row < rows; ++row)
    row_names.push_back(std::to_string(row) + "  " +
                        (categories.code(column[row]) < 0 ? "NaN" : short_name(std::string(column[row]))));
  std::vector<std::string> names;
  for (int64_t i = 0; i < width; ++i) names.push_back(short_name(categories.names()[static_cast<size_t>(i)]));
  return picture::heat_map(one_hot_rows(column, categories).slice(0, 0, rows).slice(1, 0, width),
                           {.title = "One-hot encoding of " + column.name(),
                            .row_label = rows < column.rows() ? "the first rows" : "rows",
                            .column_label = width < categories.count() ? "the first categories" : "categories",
                            .row_names = row_names,
                            .column_names = names,
                            .size = std::max(460.0, 14.5 * static_cast<double>(std::max(rows, width)))});
}

}  // namespace

void show_column(const data::TextColumn& column, const data::Categories& categories) {
  std::cout << frame_text(with_codes(column, categories)) << '\n' << one_hot_rows(column, categories) << "\n\n";
}

void show_columns(const data::Table& table, const data::TableSchema& schema) {
  size_t width = 6;
  for (const data::TextColumn& column : table.columns) width = std::max(width, column.name().size());
  const int name_width = static_cast<int>(width);
  const auto line = [&](const std::string& name, const std::string& kind, const std::string& categories) {
    const int64_t missing = table.rows() - static_cast<int64_t>(data::present_rows(table, name).size());
    std::printf("%-*s  %-8s  %10s  %7s\n", name_width, name.c_str(), kind.c_str(), categories.c_str(),
                picture::number(static_cast<double>(missing), 0).c_str());
  };
  std::printf("%-*s  %-8s  %10s  %7s\n", name_width, "column", "is", "categories", "missing");
  for (const auto& [name, categories] : schema.categories)
    line(name, "category", picture::number(static_cast<double>(categories.count()), 0));
  for (const auto& [name, _] : schema.numbers) line(name, "number", "");
  std::printf("\n");
  std::fflush(stdout);
}

void draw_one_hot(const data::Table& table, const data::TableSchema& schema, const std::string& path) {
  constexpr size_t most_panels = 4;
  std::vector<picture::Panel> panels;
  for (const auto& [name, categories] : schema.categories)
    if (categories.count() > 0 && panels.size() < most_panels) panels.push_back(one_hot_panel(table[name], categories));
  if (panels.empty()) throw Error("--picture: " + table.file + " has no column of categories to draw");
  picture::save(path, panels, {.note = table.file});
}

void show_tutorial(const CategoricalOptions& options, const Settings& settings) {
  const io::Source source(six_rows, "the tutorial's rows");
  const data::Table table = data::read_table(source);
  const data::TextColumn& column = table["category"];
  const auto schema = data::TableSchema::of(table, {});
  const data::Categories& categories = schema.categories[0].second;
  show_column(column, categories);

  SimpleModel model(categories.count(), options.dim > 0 ? options.dim : 4);
  model.to(settings.device);
  const auto [output, embeddings] = model(categories.codes(column).to(settings.device));
  std::cout << output << "\n\n" << embeddings << std::endl;

  if (!settings.picture.empty()) draw_one_hot(table, schema, settings.picture);
  if (!settings.save.empty()) io::save_safetensors(settings.save, model.state_dict());
}

}  // namespace percale::apps
