// What the command line of `categorical` says beyond the flags that all programs have.
#pragma once

#include <string>
#include <vector>

#include "../program/program.h"

namespace percale::apps {

struct CategoricalOptions {
  std::string data, columns, categories, target, represent;
  std::string embeddings, nearest, codes, predict;
  int64_t dim = 0, hidden = 0, epochs = 10, batch = 0;
  double lr = 0.01;

  void add_to(Program& program);
  /// Throws UsageError where flags make no sense together.
  void check(const Settings& settings) const;
};

/// `a,b` or, as in a CSV file, `"a, of b",c`.
std::vector<std::string> column_list(const std::string& text);

}  // namespace percale::apps
