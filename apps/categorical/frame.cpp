#include "frame.h"

#include <algorithm>

namespace percale::apps {
namespace {

constexpr size_t most_rows = 60, edge = 5;

/// In characters, which are not always bytes.
size_t length(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width, bool left = false) {
  const std::string blanks(width - std::min(width, length(text)), ' ');
  return left ? text + blanks : blanks + text;
}

/// Header and fields, all of one width.
std::vector<std::string> aligned(const FrameColumn& column, const std::vector<size_t>& rows) {
  std::vector<std::string> cells = {column.is_number ? " " + column.name : column.name};
  for (const size_t row : rows) {
    const std::string& field = column.fields[row];
    cells.push_back(field.starts_with('-') && column.is_number ? field : " " + field);
  }
  size_t width = 0;
  for (const std::string& cell : cells) width = std::max(width, length(cell));
  for (std::string& cell : cells) cell = padded(cell, width);
  return cells;
}

std::vector<std::string> index_column(const std::vector<size_t>& rows) {
  const size_t width = std::to_string(rows.empty() ? 0 : rows.back()).size();
  std::vector<std::string> cells = {std::string(width, ' ')};
  for (const size_t row : rows) cells.push_back(padded(std::to_string(row), width, true));
  return cells;
}

void insert_dots(std::vector<std::string>& cells, bool left) {
  const size_t width = length(cells[0]);
  cells.insert(cells.begin() + 1 + edge, padded(width > 3 ? "..." : "..", width, left));
}

}  // namespace

std::string frame_text(const std::vector<FrameColumn>& columns) {
  const size_t count = columns.empty() ? 0 : columns[0].fields.size();
  const bool is_cut = count > most_rows;
  std::vector<size_t> rows;
  for (size_t row = 0; row < count; ++row)
    if (!is_cut || row < edge || row >= count - edge) rows.push_back(row);
  std::vector<std::vector<std::string>> cells = {index_column(rows)};
  for (const FrameColumn& column : columns) cells.push_back(aligned(column, rows));
  for (size_t i = 0; is_cut && i < cells.size(); ++i) insert_dots(cells[i], i == 0);
  std::string text;
  for (size_t line = 0; line < cells[0].size(); ++line)
    for (size_t i = 0; i < cells.size(); ++i) text += cells[i][line] + (i + 1 == cells.size() ? "\n" : " ");
  if (is_cut) text += "\n[" + std::to_string(count) + " rows x " + std::to_string(columns.size()) + " columns]\n";
  return text;
}

std::vector<FrameColumn> with_codes(const data::TextColumn& column, const data::Categories& categories) {
  FrameColumn fields{.name = column.name(), .fields = {}}, codes{column.name() + "_index", {}, true};
  for (int64_t row = 0; row < column.rows(); ++row) {
    const int64_t code = categories.code(column[row]);
    fields.fields.push_back(code < 0 ? "NaN" : categories.names()[static_cast<size_t>(code)]);
    codes.fields.push_back(std::to_string(code));
  }
  return {fields, codes};
}

std::string short_name(const std::string& name) {
  constexpr size_t most = 28;
  std::string shown;
  size_t characters = 0;
  for (const char byte : name) {
    if ((byte & 0xc0) != 0x80 && ++characters > most) return shown + "…";
    shown += byte >= 0 && byte < ' ' ? ' ' : byte;
  }
  return shown;
}

}  // namespace percale::apps
