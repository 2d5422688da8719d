#include "table.h"

#include <algorithm>

#include "../../core/error.h"
#include "field.h"

namespace percale::data {
namespace {

bool holds(const TextColumn& column, std::string_view value) {
  for (int64_t row = 0; row < column.rows(); ++row)
    if (column[row] == value) return true;
  return false;
}

/// Names are rarely numbers and rarely values; a row of data is both.
bool header_is_data(const Table& table) {
  return std::all_of(table.columns.begin(), table.columns.end(), [](const TextColumn& column) {
    return parse_real(column.name()).has_value() || holds(column, column.name());
  });
}

Table read(Csv&& file) {
  Table table{.file = file.name(), .columns = {}, .lines = {}};
  for (const std::string& name : file.columns()) table.columns.emplace_back(name);
  while (file.next()) {
    for (size_t i = 0; i < table.columns.size(); ++i) table.columns[i].append(file.field(i));
    table.lines.push_back(file.line());
  }
  require(table.rows() > 0, "csv", "{}: expected rows below the header, found none", table.file);
  require(!header_is_data(table), "csv",
          "{}, line 1, column 1: expected a header of column names, found {}: a row of values", table.file,
          io::shown(table.columns[0].name()));
  return table;
}

}  // namespace

const TextColumn& Table::operator[](const std::string& name) const {
  std::string known;
  for (const TextColumn& column : columns) {
    if (column.name() == name) return column;
    known += (known.empty() ? "" : ", ") + column.name();
  }
  fail("csv", "{}: expected a column called {}, found {}", {file, name, known});
}

void Table::refuse(const TextColumn& column, int64_t row, const std::string& expected) const {
  const size_t number = 1 + static_cast<size_t>(&column - columns.data());
  const std::string_view found = column[row];
  fail("csv", "{}, line {}, column {} ({}): expected {}, found {}",
       {file, text(lines.at(static_cast<size_t>(row))), text(number), column.name(), expected,
        found.empty() ? "an empty field" : io::shown(found)});
}

Table read_table(const std::string& path) { return read(Csv(path)); }
Table read_table(const io::Source& source) { return read(Csv(source)); }

}  // namespace percale::data
