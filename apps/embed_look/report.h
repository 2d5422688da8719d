// What embed_look prints and draws.
#pragma once

#include <percale/nn/embeddings/check_up.h>
#include <percale/nn/embeddings/vector_files.h>
#include <percale/percale.h>

#include <string>

namespace percale::apps {

/// A line a finding, those that need mending marked; the values are added to `numbers`.
void print(const embeddings::CheckUp& checked, train::Metrics& numbers);
/// How often the nearest neighbour has the same label, beside the share of the most frequent one.
void print_labels(const embeddings::CheckUp& checked, const embeddings::Labels& labels, train::Metrics& numbers);
/// `names` are what the rows that were compared are called.
void print_comparison(const embeddings::Comparison& found, const std::vector<std::string>& names,
                      train::Metrics& numbers);

/// A map of the vectors along their two principal components, coloured by label where there are labels; those that are
/// not finite are left out.
void draw(const std::string& path, const embeddings::NamedVectors& all, const embeddings::CheckUp& checked,
          const embeddings::Labels& labels, const std::string& source);

}  // namespace percale::apps
