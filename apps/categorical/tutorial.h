// Columns of categories as the tutorial shows them: codes, one-hot vectors, and an embedding that nothing has trained
// yet.
#pragma once

#include "options.h"

namespace percale::apps {

/// The tutorial's six rows: prints what the tutorial prints, word by word, and draws the one-hot matrix with --picture.
void show_tutorial(const CategoricalOptions& options, const Settings& settings);

/// Prints a column with its codes, and its one-hot matrix.
void show_column(const data::TextColumn& column, const data::Categories& categories);

/// The columns of a table that a model is to learn from: a line each.
void show_columns(const data::Table& table, const data::TableSchema& schema);

/// The one-hot matrices of the first rows of up to four columns.
void draw_one_hot(const data::Table& table, const data::TableSchema& schema, const std::string& path);

}  // namespace percale::apps
