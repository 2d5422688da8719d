#include "table_schema.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "../../core/error.h"
#include "field.h"

namespace percale::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format = "percale.table";
constexpr int64_t most_numeric_classes = 20;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The number that a field is, NaN if it is missing.
double number_at(const Table& table, const TextColumn& column, int64_t row) {
  if (is_missing(column[row])) return NAN;
  const std::optional<double> value = parse_real(column[row]);
  if (!value || !std::isfinite(*value)) table.refuse(column, row, "a number");
  return *value;
}

Scale scale_of(const Table& table, const TextColumn& column, const std::vector<int64_t>& rows) {
  std::vector<double> values;
  for (const int64_t row : rows)
    if (const double value = number_at(table, column, row); !std::isnan(value)) values.push_back(value);
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / count);
  return {mean, deviation > 0 ? deviation : 1};
}

void choose_target(TableSchema& schema, const Table& table, const std::string& target) {
  const TextColumn& column = table[target];
  const Categories values(column);
  require(values.count() > 0, "table", "{}: expected values of the target {}, found it missing in every row",
          table.file, target);
  require(values.count() > 1, "table", "{}: expected a target that varies, found {} = {} in every row", table.file,
          target, io::shown(values.names()[0]));
  schema.target = target;
  const bool is_whole = values.kind() == ColumnKind::whole || values.kind() == ColumnKind::whole_as_real;
  if (!is_number(values.kind()) || (is_whole && values.count() <= most_numeric_classes)) schema.classes = values;
}

Json scale_json(const Scale& scale) { return {{"mean", scale.mean}, {"deviation", scale.deviation}}; }

Scale scale_from(const Json& json) {
  const Scale scale{json.at("mean").get<double>(), json.at("deviation").get<double>()};
  require(std::isfinite(scale.mean) && scale.deviation > 0, "table",
          "expected a mean and a positive deviation, found {} and {}", scale.mean, scale.deviation);
  return scale;
}

Json categories_json(const Categories& categories) {
  return {{"kind", name_of(categories.kind())}, {"names", categories.names()}};
}

Categories categories_from(const Json& json) {
  return Categories(kind_named(json.at("kind").get<std::string>()), json.at("names").get<std::vector<std::string>>());
}

}  // namespace

TableSchema TableSchema::of(const Table& table, const TableSchemaOptions& options) {
  TableSchema schema;
  if (!options.target.empty()) choose_target(schema, table, options.target);
  std::vector<std::string> columns = options.columns;
  if (columns.empty())
    for (const TextColumn& column : table.columns)
      if (column.name() != options.target) columns.push_back(column.name());
  for (const std::string& name : options.categories) table[name];
  for (auto name = columns.begin(); name != columns.end(); ++name) {
    require(*name != options.target, "table", "{}: the target {} cannot be an input too", table.file, *name);
    require(std::find(columns.begin(), name, *name) == name, "table", "{}: the column {} is named twice", table.file,
            *name);
    const TextColumn& column = table[*name];
    const ColumnKind kind = kind_of(column);
    if (is_number(kind) && !contains(options.categories, *name))
      schema.numbers.emplace_back(*name, Scale{});
    else
      schema.categories.emplace_back(*name, Categories(column, kind));
  }
  require(!columns.empty(), "table", "{}: expected a column beside the target, found none", table.file);
  return schema;
}

void TableSchema::fit(const Table& table, const std::vector<int64_t>& rows) {
  for (auto& [name, scale] : numbers) scale = scale_of(table, table[name], rows);
  if (!target.empty() && !classes) target_scale = scale_of(table, table[target], rows);
}

Tensor TableSchema::codes(const Table& table) const {
  const auto width = static_cast<int64_t>(categories.size());
  const Tensor result = Tensor::empty({table.rows(), width}, {i64, cpu_device});
  for (int64_t i = 0; i < width; ++i) {
    const auto& [name, values] = categories[static_cast<size_t>(i)];
    const TextColumn& column = table[name];
    for (int64_t row = 0; row < table.rows(); ++row) {
      const int64_t code = values.code(column[row]);
      result.data<int64_t>()[row * width + i] = code < 0 ? values.count() : code;
    }
  }
  return result;
}

Tensor TableSchema::values(const Table& table) const {
  const auto width = static_cast<int64_t>(numbers.size());
  const Tensor result = Tensor::empty({table.rows(), width});
  for (int64_t i = 0; i < width; ++i) {
    const auto& [name, scale] = numbers[static_cast<size_t>(i)];
    const TextColumn& column = table[name];
    for (int64_t row = 0; row < table.rows(); ++row) {
      const double value = number_at(table, column, row);
      result.data<float>()[row * width + i] =
          std::isnan(value) ? 0 : static_cast<float>((value - scale.mean) / scale.deviation);
    }
  }
  return result;
}

Tensor TableSchema::targets(const Table& table) const {
  const TextColumn& column = table[target];
  const Tensor result = Tensor::empty({table.rows()}, {classes ? i64 : f32, cpu_device});
  for (int64_t row = 0; row < table.rows(); ++row) {
    if (classes) {
      const int64_t code = classes->code(column[row]);
      if (code < 0) table.refuse(column, row, "one of the " + text(classes->count()) + " classes of the target");
      result.data<int64_t>()[row] = code;
    } else {
      const double value = number_at(table, column, row);
      if (std::isnan(value)) table.refuse(column, row, "a number");
      result.data<float>()[row] = static_cast<float>((value - target_scale.mean) / target_scale.deviation);
    }
  }
  return result;
}

std::string TableSchema::json() const {
  Json columns = Json::array(), scales = Json::array();
  for (const auto& [name, values] : categories) {
    Json column = {{"name", name}};
    column.update(categories_json(values));
    columns.push_back(column);
  }
  for (const auto& [name, scale] : numbers) {
    Json column = {{"name", name}};
    column.update(scale_json(scale));
    scales.push_back(column);
  }
  Json goal = {{"name", target}};
  goal.update(classes ? categories_json(*classes) : scale_json(target_scale));
  return Json({{"format", format}, {"version", 1}, {"categories", columns}, {"numbers", scales}, {"target", goal}})
      .dump();
}

TableSchema TableSchema::from_json(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    require(json.at("format") == format && json.at("version") == 1, "table", "expected a {} of version 1, found {}",
            format, io::shown(text));
    TableSchema schema;
    for (const Json& column : json.at("categories"))
      schema.categories.emplace_back(column.at("name").get<std::string>(), categories_from(column));
    for (const Json& column : json.at("numbers"))
      schema.numbers.emplace_back(column.at("name").get<std::string>(), scale_from(column));
    const Json& goal = json.at("target");
    schema.target = goal.at("name").get<std::string>();
    if (goal.contains("names"))
      schema.classes = categories_from(goal);
    else
      schema.target_scale = scale_from(goal);
    return schema;
  } catch (const Json::exception& error) {
    fail("table", "expected the JSON of a table's columns, found {}", {io::shown(text)});
  }
}

std::vector<int64_t> present_rows(const Table& table, const std::string& column) {
  const TextColumn& fields = table[column];
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < table.rows(); ++row)
    if (!is_missing(fields[row])) rows.push_back(row);
  return rows;
}

Table select_rows(const Table& table, const std::vector<int64_t>& rows) {
  Table result{.file = table.file, .columns = {}, .lines = {}};
  for (const TextColumn& column : table.columns) {
    TextColumn& fields = result.columns.emplace_back(column.name());
    for (const int64_t row : rows) fields.append(column[row]);
  }
  for (const int64_t row : rows) result.lines.push_back(table.lines.at(static_cast<size_t>(row)));
  return result;
}

}  // namespace percale::data
