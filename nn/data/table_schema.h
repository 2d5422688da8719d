// What the columns of a table are to a model: categories by their codes, numbers standardised, and a target.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../../core/tensor.h"
#include "categories.h"

namespace percale::data {

/// A number's mean and standard deviation (1 where it never changes).
struct Scale {
  double mean = 0, deviation = 1;
};

struct TableSchemaOptions {
  std::vector<std::string> columns = {};     ///< the inputs, in this order; empty: all but the target
  std::vector<std::string> categories = {};  ///< columns of numbers that are taken as categories too
  std::string target = {};                   ///< may be empty
};

/// A table's inputs and target, with all that must be kept to encode other tables alike.
struct TableSchema {
  std::vector<std::pair<std::string, Categories>> categories;
  std::vector<std::pair<std::string, Scale>> numbers;
  std::string target;
  std::optional<Categories> classes;  ///< of a target that is text, a truth value, or one of at most 20 whole numbers
  Scale target_scale;                 ///< of a target that is a number

  /// Columns of text and truth values become categories, numbers stay numbers. The scales are not known yet: `fit`.
  /// Errors: a column that is not there, or named twice; a target that is missing in every row, or always the same.
  static TableSchema of(const Table& table, const TableSchemaOptions& options);

  /// Takes the scales of numbers and target from these rows.
  void fit(const Table& table, const std::vector<int64_t>& rows);

  /// i64 [rows, categories]: codes, and n (one more than the last) for what is missing or unseen.
  Tensor codes(const Table& table) const;
  /// f32 [rows, numbers]: standardised, and 0, the mean, for what is missing. An error names what is no number.
  Tensor values(const Table& table) const;
  /// Classes i64 [rows], or standardised numbers f32 [rows]. An error names what is missing or of no known class.
  Tensor targets(const Table& table) const;

  /// As text, for files: a JSON object.
  std::string json() const;
  /// What `json` wrote; an error for any other text.
  static TableSchema from_json(const std::string& text);
};

/// The rows of `table` in which `column` is not missing.
std::vector<int64_t> present_rows(const Table& table, const std::string& column);
/// The rows of `table` that are named, in that order.
Table select_rows(const Table& table, const std::vector<int64_t>& rows);

}  // namespace percale::data
