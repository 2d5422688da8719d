#include "labelled_texts.h"

#include <optional>

#include "field.h"
#include "table.h"

namespace percale::data {
namespace {

const TextColumn& text_of(const Table& table, const std::string& name) {
  if (!name.empty()) return table[name];
  for (const TextColumn& column : table.columns)
    if (column.name() == "text") return column;
  return table.columns.front();
}

const TextColumn& label_of(const Table& table, const TextColumn& text, const std::string& name) {
  if (!name.empty()) return table[name];
  require(table.columns.size() == 2, "labelled_texts",
          "{}: expected a column of texts and one of labels, found {} columns; name the one with the labels",
          table.file, table.columns.size());
  return &text == &table.columns[0] ? table.columns[1] : table.columns[0];
}

std::optional<bool> truth_of(std::string_view field) {
  if (field == "1") return true;
  if (field == "0") return false;
  return parse_truth(field);
}

LabelledTexts labelled(const Table& table, const std::string& text_column, const std::string& label_column) {
  const TextColumn& text = text_of(table, text_column);
  const TextColumn& label = label_of(table, text, label_column);
  require(&text != &label, "labelled_texts", "{}: the column {} cannot be both text and label", table.file,
          text.name());
  LabelledTexts result{.texts = {}, .labels = Tensor::empty({table.rows()}, {i64, cpu_device}), .name = table.file};
  for (int64_t row = 0; row < table.rows(); ++row) {
    const std::optional<bool> truth = truth_of(label[row]);
    if (!truth) table.refuse(label, row, "true or false");
    result.texts.emplace_back(text[row]);
    result.labels.data<int64_t>()[row] = *truth;
  }
  return result;
}

}  // namespace

LabelledTexts read_labelled_texts(const std::string& path, const std::string& text_column,
                                  const std::string& label_column) {
  return labelled(read_table(path), text_column, label_column);
}

LabelledTexts read_labelled_texts(const io::Source& source, const std::string& text_column,
                                  const std::string& label_column) {
  return labelled(read_table(source), text_column, label_column);
}

}  // namespace percale::data
