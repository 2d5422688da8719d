// A table of text in memory, a column at a time: what a CSV file holds before anyone says what it means.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "csv.h"

namespace percale::data {

/// The fields of one column, one after the other in one piece of memory.
class TextColumn {
 public:
  explicit TextColumn(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  int64_t rows() const { return static_cast<int64_t>(ends_.size()); }
  std::string_view operator[](int64_t row) const {
    const auto at = static_cast<size_t>(row);
    const uint64_t begin = at == 0 ? 0 : ends_[at - 1];
    return std::string_view(text_).substr(begin, ends_[at] - begin);
  }
  void append(std::string_view field) {
    text_ += field;
    ends_.push_back(text_.size());
  }

 private:
  std::string name_, text_;
  std::vector<uint64_t> ends_;
};

struct Table {
  std::string file;  ///< where it came from, for errors
  std::vector<TextColumn> columns;
  std::vector<int64_t> lines;  ///< the line of the file in which each row begins

  int64_t rows() const { return static_cast<int64_t>(lines.size()); }
  /// The column called `name`; an error that lists what there is.
  const TextColumn& operator[](const std::string& name) const;
  /// An error about one field: file, line, column, what was expected and what is there.
  [[noreturn]] void refuse(const TextColumn& column, int64_t row, const std::string& expected) const;
};

/// A whole CSV file. Beyond Csv's errors: no rows, or a header that is no header (each of its names is a number, or
/// stands among the values of its column).
Table read_table(const std::string& path);
Table read_table(const io::Source& source);

}  // namespace percale::data
