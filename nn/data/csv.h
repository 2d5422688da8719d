// Comma-separated values, read row by row and written a line at a time (RFC 4180).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../../core/io/file.h"

namespace percale::data {

/// A file of comma-separated values with a header, plain or gzip, in UTF-8 (with a byte order mark or without), as RFC
/// 4180 has it: a field in quotes may hold commas, line breaks and, doubled, quotes. Lines end in LF, CRLF or CR. As in
/// pandas, lines of nothing but blanks are left out, a column without a name is `Unnamed: 3` (counted from 0), and the
/// second of two columns called `a` is `a.1`.
///
///     data::Csv file("people.csv");
///     while (file.next()) use(file.field(0), file.field(1));
///
/// Needs as much memory as its longest row, at most 16 MB. Errors name file, line, column (the field's number and name)
/// and the reason: a file without a row, a quote that is not closed or has text behind it, a row with more or fewer
/// fields than the header, bytes that are not UTF-8, a NUL byte, a row of more than 16 MB.
class Csv {
 public:
  explicit Csv(const std::string& path);
  /// `source` must outlive this.
  explicit Csv(const io::Source& source);
  ~Csv();
  Csv(const Csv&) = delete;

  const std::string& name() const;
  /// The names of the header; no two are alike.
  const std::vector<std::string>& columns() const { return columns_; }
  /// Reads the next row; false at the end.
  bool next();
  /// A field of the row that was read last, until the next one is read.
  std::string_view field(size_t column) const;
  /// The line in which that row begins, counted from 1.
  int64_t line() const;

 private:
  struct Reader;
  std::unique_ptr<io::Source> own_source_;
  std::unique_ptr<Reader> reader_;
  std::vector<std::string> columns_;
};

/// `fields` as a line of such a file, its LF included: those in quotes that need them, and one that stands alone and is
/// empty (else the line would be blank).
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace percale::data
