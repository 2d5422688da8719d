// What was learnt of each category: written for other programs, printed with its nearest, drawn.
#pragma once

#include "learning.h"

namespace percale::apps {

/// For each column of categories FILE.npy (f32 [n + 1, dim], the last row for what is missing or unseen), and for the
/// TensorBoard projector FILE.tsv with the same numbers and FILE.names.tsv with the names. Where there are several
/// columns, each stands in FILE.COLUMN.npy and so on.
void write_vectors(const TrainedModel& trained, const std::string& path);

/// Each category of a column as numbers, and the three whose vectors have the largest cosine with its own.
void show_nearest(const TrainedModel& trained, const std::string& column);

/// True if some column has at least 3 categories and 2 numbers for each.
bool has_map(const TrainedModel& trained);

/// The embeddings of up to six such columns, in two dimensions, each point with its name.
void draw_vectors(const TrainedModel& trained, const std::string& path, const std::string& note);

/// The codes of these columns of a table, as a CSV file.
void write_codes(const data::Table& table, const data::TableSchema& schema, const std::string& path);

}  // namespace percale::apps
