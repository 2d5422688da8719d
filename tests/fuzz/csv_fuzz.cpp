// Any bytes as a CSV file: a table whose codes can be read back, or an error of Percale's.
#include <percale/nn/data/categories.h>

using namespace percale;

namespace {

/// What was read is written and read again: the same fields.
void check_written(const data::Table& table) {
  std::vector<std::string> fields;
  for (const data::TextColumn& column : table.columns) fields.push_back(column.name());
  std::string bytes = data::csv_line(fields);
  for (int64_t row = 0; row < table.rows(); ++row) {
    for (size_t i = 0; i < fields.size(); ++i) fields[i] = table.columns[i][row];
    bytes += data::csv_line(fields);
  }
  const io::Source source(bytes, "again");
  const data::Table again = data::read_table(source);
  if (again.columns.size() != table.columns.size() || again.rows() != table.rows()) __builtin_trap();
  for (size_t i = 0; i < fields.size(); ++i)
    for (int64_t row = 0; row < table.rows(); ++row)
      if (again.columns[i][row] != table.columns[i][row]) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const io::Source source(std::string_view(reinterpret_cast<const char*>(bytes), size), "fuzz");
  try {
    const data::Table table = data::read_table(source);
    check_written(table);
    for (const data::TextColumn& column : table.columns) {
      const data::Categories categories(column), loaded(categories.kind(), categories.names());
      for (int64_t row = 0; row < table.rows(); ++row) {
        const int64_t code = categories.code(column[row]);
        if (code < -1 || code >= categories.count() || code != loaded.code(column[row])) __builtin_trap();
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
