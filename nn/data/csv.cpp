#include "csv.h"

#include <utf8proc.h>

#include <algorithm>
#include <set>

#include "../../core/error.h"
#include "../../core/io/gzip.h"

namespace percale::data {
namespace {

constexpr size_t buffer_size = 1 << 16, most_bytes_a_row = 16 << 20;
constexpr int at_end = -1;

/// Where `text` stops to be UTF-8, or its size.
size_t utf8_end(std::string_view text) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  size_t at = 0;
  while (at < text.size()) {
    if (bytes[at] < 0x80) {
      ++at;
      continue;
    }
    utf8proc_int32_t letter = 0;
    const auto length = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &letter);
    if (length <= 0) return at;
    at += static_cast<size_t>(length);
  }
  return at;
}

std::string hexadecimal(char byte) {
  constexpr char digits[] = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(byte);
  return {'0', 'x', digits[value >> 4], digits[value & 15]};
}

std::vector<std::string> unique_names(std::vector<std::string> names) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i].empty()) names[i] = "Unnamed: " + std::to_string(i);
  const std::set<std::string> given(names.begin(), names.end());
  std::set<std::string> taken;
  for (std::string& name : names) {
    std::string unique = name;
    for (int copy = 1; taken.contains(unique) || (unique != name && given.contains(unique)); ++copy)
      unique = name + "." + std::to_string(copy);
    taken.insert(name = unique);
  }
  return names;
}

}  // namespace

/// Splits bytes into rows of fields.
struct Csv::Reader {
  const io::Source& source;
  const std::vector<std::string>& columns;
  io::UnpackingReader bytes{source};
  std::string buffer = std::string(buffer_size, '\0');
  size_t at = 0, filled = 0;

  std::string text = {};             ///< the row's fields, one after the other,
  std::vector<size_t> ends = {};     ///< and where each of them ends
  std::vector<int64_t> starts = {};  ///< the line in which each begins
  int64_t line = 1;                  ///< of the next byte
  bool quoted = false;               ///< a field of the row was in quotes

  [[noreturn]] void refuse(size_t column, int64_t at_line, const std::string& expected,
                           const std::string& found) const {
    const std::string called = column < columns.size() ? " (" + columns[column] + ")" : "";
    fail("csv", "{}, line {}, column {}{}: expected {}, found {}",
         {source.name(), percale::text(at_line), percale::text(column + 1), called, expected, found});
  }

  int peek() {
    if (at == filled) {
      filled = bytes.read(buffer.data(), buffer.size());
      at = 0;
      if (filled == 0) return at_end;
    }
    return static_cast<unsigned char>(buffer[at]);
  }

  static bool ends_line(int byte) { return byte == '\n' || byte == '\r' || byte == at_end; }

  void take(char byte) {
    if (byte == '\0') refuse(ends.size(), line, "text", "a NUL byte (is the file UTF-16?)");
    if (text.size() == most_bytes_a_row)
      refuse(ends.size(), starts.back(), "rows of at most 16 MB",
             quoted ? "a longer one: is a quote not closed?" : "a longer one");
    text += byte;
  }

  void plain_field() {
    for (int byte = peek(); byte != ',' && !ends_line(byte); byte = peek()) {
      take(static_cast<char>(byte));
      ++at;
    }
  }

  void quoted_field() {
    quoted = true;
    ++at;
    for (;;) {
      const int byte = peek();
      if (byte == at_end) refuse(ends.size(), starts.back(), "a closing quote", "the end of the file");
      ++at;
      if (byte == '"') {
        if (peek() != '"') break;
        ++at;
      }
      line += byte == '\n' || (byte == '\r' && peek() != '\n');
      take(static_cast<char>(byte));
    }
    const int after = peek();
    if (after != ',' && !ends_line(after))
      refuse(ends.size(), line, "a comma or the end of the line after the closing quote",
             io::shown(std::string_view(buffer).substr(at, std::min<size_t>(filled - at, 12))) +
                 " (a quote within quotes is doubled)");
  }

  /// False if there is nothing any more.
  bool read_line() {
    text.clear(), ends.clear(), starts.clear();
    quoted = false;
    if (peek() == at_end) return false;
    for (;;) {
      starts.push_back(line);
      if (peek() == '"')
        quoted_field();
      else
        plain_field();
      ends.push_back(text.size());
      const int byte = peek();
      if (byte == at_end) return true;
      ++at;
      if (byte == ',') continue;
      if (byte == '\r' && peek() == '\n') ++at;
      ++line;
      return true;
    }
  }

  bool is_blank() const { return ends.size() == 1 && !quoted && text.find_first_not_of(" \t") == std::string::npos; }

  void check_utf8() const {
    const size_t end = utf8_end(text);
    if (end == text.size()) return;
    const auto column = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), end) - ends.begin());
    refuse(column, starts[column], "UTF-8", "the byte " + hexadecimal(text[end]));
  }

  bool read_row() {
    do {
      if (!read_line()) return false;
    } while (is_blank());
    check_utf8();
    return true;
  }

  std::string_view field(size_t column) const {
    const size_t begin = column == 0 ? 0 : ends[column - 1];
    return std::string_view(text).substr(begin, ends[column] - begin);
  }

  /// The byte order mark is no part of the first name, and a quote may come after it.
  void skip_mark() {
    if (peek() == 0xef && filled - at >= 3 && std::string_view(buffer).substr(at, 3) == "\xef\xbb\xbf") at += 3;
  }

  std::vector<std::string> read_header() {
    skip_mark();
    if (!read_row())
      fail("csv", "{}: expected a header and rows, found {}",
           {source.name(), source.size() == 0 ? "an empty file" : "blank lines alone"});
    std::vector<std::string> names;
    for (size_t i = 0; i < ends.size(); ++i) names.emplace_back(field(i));
    return unique_names(std::move(names));
  }
};

Csv::Csv(const io::Source& source) : reader_(new Reader{source, columns_}) { columns_ = reader_->read_header(); }

Csv::Csv(const std::string& path) : own_source_(std::make_unique<io::Source>(path)) {
  reader_.reset(new Reader{*own_source_, columns_});
  columns_ = reader_->read_header();
}

Csv::~Csv() = default;

const std::string& Csv::name() const { return reader_->source.name(); }
int64_t Csv::line() const { return reader_->starts.at(0); }

bool Csv::next() {
  Reader& reader = *reader_;
  if (!reader.read_row()) return false;
  const size_t fields = reader.ends.size(), expected = columns_.size();
  if (fields == expected) return true;
  const size_t wrong = std::min(fields, expected);
  reader.refuse(wrong, reader.starts[std::min(wrong, fields - 1)], percale::text(expected) + " fields as in the header",
                percale::text(fields));
}

std::string_view Csv::field(size_t column) const {
  require(column < columns_.size(), "csv", "{}: there is no column {} of {}", name(), column, columns_.size());
  return reader_->field(column);
}

std::string csv_line(const std::vector<std::string>& fields) {
  if (fields.size() == 1 && fields[0].find_first_not_of(" \t") == std::string::npos) return '"' + fields[0] + "\"\n";
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i) line += ',';
    if (fields[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += fields[i];
      continue;
    }
    line += '"';
    for (const char byte : fields[i]) line.append(byte == '"' ? 2 : 1, byte);
    line += '"';
  }
  return line + '\n';
}

}  // namespace percale::data
