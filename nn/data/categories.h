// A dictionary of what a column of a table holds, and the codes that stand for it: pandas'
// `astype('category').cat.codes`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../../core/tensor.h"
#include "table.h"

namespace percale::data {

/// What pandas' read_csv takes a column for (3.1, with low_memory=False, so that a column is of one kind).
/// One thing is otherwise: in a column of text that begins as whole numbers beyond 64 bits do, and in one with numbers
/// above 2^63 - 1 and others missing, pandas takes `NA` and its like for text too; here they are missing.
enum class ColumnKind {
  whole,          ///< whole numbers of 64 bits
  natural,        ///< whole numbers, some of them above 2^63 - 1 and none below 0
  huge,           ///< whole numbers, some beyond 64 bits
  whole_as_real,  ///< whole numbers, some missing: rounded to doubles
  real,           ///< numbers, infinite ones too
  truth,          ///< true and false
  text
};

ColumnKind kind_of(const TextColumn& column);
std::string_view name_of(ColumnKind kind);
/// The kind of that name; an error if there is none.
ColumnKind kind_named(std::string_view name);
inline bool is_number(ColumnKind kind) { return kind < ColumnKind::truth; }

/// The different values of a column, sorted (numbers as numbers, text by its characters' numbers, false before true):
/// the first has the code 0. What is missing is no category: its code is -1, and so is that of a value not in the
/// dictionary.
///
///     data::Table table = data::read_table("adult.csv");
///     data::Categories countries(table["native.country"]);
///     Tensor index = countries.codes(table["native.country"]);
class Categories {
 public:
  Categories() = default;
  explicit Categories(const TextColumn& column) : Categories(column, kind_of(column)) {}
  /// An error if the column is not of that kind; any column is text.
  Categories(const TextColumn& column, ColumnKind kind);
  /// A dictionary as it was saved: `kind()` and `names()`. An error if the names are not of the kind, sorted and
  /// different.
  Categories(ColumnKind kind, std::vector<std::string> names);

  ColumnKind kind() const { return kind_; }
  /// n: codes are 0 to n - 1.
  int64_t count() const { return static_cast<int64_t>(names_.size()); }
  /// The categories in order, written as Python writes them: `Cuba`, `7`, `22.0`, `True`.
  const std::vector<std::string>& names() const { return names_; }

  /// The code of a field, or -1 if it is missing or not in the dictionary. Numbers are compared as numbers: in a
  /// dictionary of whole numbers `7.0` is 7.
  int64_t code(std::string_view field) const;
  /// The codes of a column: i64 [rows].
  Tensor codes(const TextColumn& column) const;

 private:
  ColumnKind kind_ = ColumnKind::text;
  std::vector<std::string> names_;
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<uint64_t, int64_t> code_of_key_;  ///< of numbers and truth values
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> code_of_text_;
};

}  // namespace percale::data
