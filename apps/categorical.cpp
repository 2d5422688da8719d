// Categories made into numbers, as the tutorial does it: codes, one-hot vectors, embeddings; and learning from a table.
#include <iostream>

#include "categorical/tutorial.h"
#include "categorical/vectors.h"

using namespace percale;

namespace {

/// The columns that are looked at as categories: those of --columns, or all but the numbers.
data::TableSchema categories_of(const data::Table& table, const apps::CategoricalOptions& options) {
  const auto columns = apps::column_list(options.columns);
  return data::TableSchema::of(
      table, {.columns = columns, .categories = columns.empty() ? apps::column_list(options.categories) : columns});
}

/// Without a target: the codes, and the one-hot vectors on the screen and in a picture.
void show(const data::Table& table, const data::TableSchema& schema, const apps::Settings& settings) {
  if (schema.categories.size() == 1)
    apps::show_column(table[schema.categories[0].first], schema.categories[0].second);
  else
    apps::show_columns(table, schema);
  if (!settings.picture.empty()) apps::draw_one_hot(table, schema, settings.picture);
}

}  // namespace

int main(int argc, char** argv) {
  apps::CategoricalOptions options;
  apps::Program program("categorical",
                        "Learns a vector for each category of a table's columns, and predicts from them.",
                        "categorical --data adult.csv --target income --hidden 64 --picture adult.png");
  options.add_to(program);
  program.check([&](const apps::Settings& settings) { options.check(settings); });

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    if (options.data.empty() && settings.load.empty()) return apps::show_tutorial(options, settings);

    std::optional<apps::TrainedModel> trained;
    std::optional<data::Table> table;
    if (options.data.empty()) {
      trained = apps::load_model(settings.load);
    } else {
      table = data::read_table(options.data);
      const data::TableSchema categories = categories_of(*table, options);
      if (!options.codes.empty()) apps::write_codes(*table, categories, options.codes);
      if (options.target.empty() && settings.load.empty()) return show(*table, categories, settings);
      trained = apps::train(*table, options, settings);
    }
    if (!options.nearest.empty()) apps::show_nearest(*trained, options.nearest);
    if (!options.embeddings.empty()) apps::write_vectors(*trained, options.embeddings);
    if (!settings.picture.empty()) {
      if (table && !apps::has_map(*trained))
        apps::draw_one_hot(*table, trained->schema, settings.picture);
      else
        apps::draw_vectors(*trained, settings.picture, options.data);
    }
    if (!options.predict.empty()) apps::predict(*trained, options.predict, settings.device);
  });
}
