#include "safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "tensor_bytes.h"

namespace percale::io {
namespace {

constexpr uint64_t longest_header = 100'000'000;
// What keeps the reader's own memory below 64 MB, whatever the header says.
constexpr size_t longest_text = 8'000'000, most_names = 100'000;

constexpr std::array<std::pair<DType, std::string_view>, 8> dtype_names = {{{f32, "F32"},
                                                                            {f64, "F64"},
                                                                            {f16, "F16"},
                                                                            {bf16, "BF16"},
                                                                            {i64, "I64"},
                                                                            {i32, "I32"},
                                                                            {u8, "U8"},
                                                                            {boolean, "BOOL"}}};

std::string_view format_name(DType dtype) {
  for (const auto& [value, name] : dtype_names)
    if (value == dtype) return name;
  return {};
}

/// What the header says of one tensor.
struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<Shape> shape;
  std::optional<std::pair<uint64_t, uint64_t>> offsets;
};

struct Header {
  std::vector<Entry> entries;
  std::vector<std::pair<std::string, std::string>> metadata;
};

[[noreturn]] void refuse(const std::string& file, std::string_view pattern, std::initializer_list<std::string> values) {
  fail("safetensors", "{}: {}", {file, format_text(pattern, values)});
}

/// Takes the events of nlohmann's parser, which builds nothing: a header of lies costs no memory.
class HeaderReader {
 public:
  HeaderReader(const std::string& file, Header& header) : file_(file), header_(header) {}

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_integer(int64_t value) { return unexpected(std::to_string(value)); }
  bool number_float(double, const std::string& digits) { return unexpected(shown(digits)); }
  template <class Binary>
  bool binary(Binary&) {
    return unexpected("binary data");
  }

  bool number_unsigned(uint64_t value) {
    if (state_ != State::array) return unexpected(std::to_string(value));
    if (numbers_.size() > 8) refuse(file_, "{} of {}: expected at most 8 numbers, found more", {field_, shown(name())});
    numbers_.push_back(value);
    return true;
  }

  bool string(const std::string& value) {
    if (state_ == State::metadata) {
      count(value);
      header_.metadata.back().second = value;
      return true;
    }
    if (state_ != State::tensor || field_ != "dtype") return unexpected(shown(value));
    for (const auto& [dtype, text] : dtype_names)
      if (text == value) header_.entries.back().dtype = dtype;
    if (!header_.entries.back().dtype)
      refuse(file_, "dtype of {}: expected F32, F64, F16, BF16, I64, I32, U8 or BOOL, found {}",
             {shown(name()), shown(value)});
    return true;
  }

  bool start_object(size_t) {
    if (state_ == State::start)
      state_ = State::names;
    else if (state_ == State::named)
      state_ = field_ == "__metadata__" ? State::metadata : State::tensor;
    else
      return unexpected("an object");
    return true;
  }

  bool key(const std::string& key) {
    if (state_ == State::names) {
      start_entry(key);
    } else if (state_ == State::metadata) {
      count(key);
      header_.metadata.emplace_back(key, "");
    } else {
      const Entry& entry = header_.entries.back();
      const bool again = key == "dtype"   ? entry.dtype.has_value()
                         : key == "shape" ? entry.shape.has_value()
                                          : entry.offsets.has_value();
      if (key != "dtype" && key != "shape" && key != "data_offsets")
        refuse(file_, "{}: expected dtype, shape and data_offsets, found {}", {shown(name()), shown(key)});
      if (again) refuse(file_, "{}: expected one {}, found two", {shown(name()), key});
      field_ = key;
    }
    return true;
  }

  bool end_object() {
    if (state_ == State::tensor) {
      const Entry& entry = header_.entries.back();
      if (!entry.dtype || !entry.shape || !entry.offsets)
        refuse(file_, "{}: expected dtype, shape and data_offsets, found no {}",
               {shown(name()), !entry.dtype   ? "dtype"
                               : !entry.shape ? "shape"
                                              : "data_offsets"});
    }
    state_ = State::names;
    return true;
  }

  bool start_array(size_t) {
    if (state_ != State::tensor || field_ == "dtype") return unexpected("a list");
    state_ = State::array;
    numbers_.clear();
    return true;
  }

  bool end_array() {
    Entry& entry = header_.entries.back();
    state_ = State::tensor;
    if (field_ == "data_offsets") {
      if (numbers_.size() != 2)
        refuse(file_, "data_offsets of {}: expected 2 numbers, found {}",
               {shown(name()), std::to_string(numbers_.size())});
      entry.offsets = {numbers_[0], numbers_[1]};
      return true;
    }
    if (numbers_.size() > Shape::max_rank)
      refuse(file_, "shape of {}: expected at most 8 dimensions, found more", {shown(name())});
    entry.shape.emplace();
    for (uint64_t extent : numbers_) {
      if (extent > INT64_MAX)
        refuse(file_, "shape of {}: an extent of {} is too large", {shown(name()), std::to_string(extent)});
      entry.shape->push_back(static_cast<int64_t>(extent));
    }
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) {
    std::string reason = error.what();  // `[json.exception...] parse error at line 1, column 5: ...`
    if (const size_t bracket = reason.find("] "); bracket != std::string::npos) reason.erase(0, bracket + 2);
    for (char& character : reason)
      if (character < ' ' || character > '~') character = '?';
    refuse(file_, "header: expected JSON in UTF-8, found a {}",
           {reason.size() > 300 ? reason.substr(0, 300) + "..." : reason});
  }

 private:
  enum class State { start, names, named, metadata, tensor, array };

  const std::string& name() const { return header_.entries.back().name; }

  void start_entry(const std::string& key) {
    state_ = State::named;
    field_.clear();
    count(key);
    if (key == "__metadata__") {
      if (metadata_seen_) refuse(file_, "header: expected one __metadata__, found two", {});
      metadata_seen_ = true;
      field_ = key;
      return;
    }
    header_.entries.emplace_back().name = key;
  }

  void count(const std::string& value) {
    text_bytes_ += value.size();
    if (++texts_ > most_names)
      refuse(file_, "header: expected at most {} names, found more", {std::to_string(most_names)});
    if (text_bytes_ > longest_text)
      refuse(file_, "header: expected at most {} bytes of names and metadata, found more",
             {std::to_string(longest_text)});
  }

  bool unexpected(const std::string& what) {
    const char* expected = "numbers of 0 or more";
    if (state_ == State::start) expected = "an object";
    if (state_ == State::named || state_ == State::names) expected = "an object for each name";
    if (state_ == State::metadata) expected = "strings in __metadata__";
    if (state_ == State::tensor) expected = field_ == "dtype" ? "a string as dtype" : "a list of numbers";
    refuse(file_, "header: expected {}, found {}", {expected, what});
  }

  const std::string& file_;
  Header& header_;
  State state_ = State::start;
  bool metadata_seen_ = false;
  std::string field_;
  std::vector<uint64_t> numbers_;
  size_t texts_ = 0, text_bytes_ = 0;
};

/// nlohmann takes a NUL for the end and keeps the token that it reads: neither is left to it.
void check_tokens(const std::string& file, std::string_view header) {
  bool in_string = false;
  for (size_t i = 0, start = 0; i < header.size(); ++i) {
    const char character = header[i];
    if (character == '\0') refuse(file, "header: expected JSON, found a NUL at byte {}", {std::to_string(i)});
    if (i - start > longest_text)
      refuse(file, "header: expected no name or value of over {} bytes, found one", {std::to_string(longest_text)});
    if (in_string && character == '\\')
      ++i;
    else if (character == '"')
      in_string = !in_string, start = i;
    else if (!in_string && std::strchr(",:{}[] \t\r\n", character))
      start = i;
  }
}

template <class Items, class Key>
void refuse_duplicates(const std::string& file, const Items& items, Key key) {
  std::vector<std::string_view> names;
  for (const auto& item : items) names.push_back(key(item));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) refuse(file, "header: expected each name once, found {} twice", {shown(*twice)});
}

uint64_t bytes_of(const std::string& file, const Entry& entry) {
  const auto bytes = tensor_bytes(*entry.dtype, *entry.shape);
  if (!bytes) refuse(file, "shape of {}: {} is too large", {shown(entry.name), text(*entry.shape)});
  return *bytes;
}

/// The bytes of the tensors must follow one another without holes to the end of the file.
void check_layout(const std::string& file, std::vector<Entry>& entries, uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  uint64_t position = 0;
  for (const Entry& entry : entries) {
    const auto [begin, end] = *entry.offsets;
    const std::string name = shown(entry.name), span = std::to_string(begin) + " to " + std::to_string(end);
    if (end < begin || end > data_bytes)
      refuse(file, "data_offsets of {}: expected them within {} bytes of data, found {}",
             {name, std::to_string(data_bytes), span});
    if (const uint64_t bytes = bytes_of(file, entry); end - begin != bytes)
      refuse(file, "data_offsets of {}: expected {} bytes for {} of shape {}, found {}",
             {name, std::to_string(bytes), std::string(format_name(*entry.dtype)), text(*entry.shape), span});
    if (begin != position)
      refuse(file, "data_offsets of {}: expected a start at {}, found {}: {}",
             {name, std::to_string(position), std::to_string(begin), begin < position ? "tensors overlap" : "a hole"});
    position = end;
  }
  if (position != data_bytes)
    refuse(file, "expected {} bytes of data, found {}", {std::to_string(position), std::to_string(data_bytes)});
}

/// Reads and checks everything but the tensors' bytes; returns where these begin.
uint64_t read_header(const Source& source, Header& header) {
  const std::string& file = source.name();
  if (source.size() < 8)
    refuse(file, "expected a header length of 8 bytes, found {} bytes", {std::to_string(source.size())});
  uint64_t length = 0;
  source.read_at(0, &length, sizeof length);
  if (length > longest_header)
    refuse(file, "header length: expected at most {}, found {}",
           {std::to_string(longest_header), std::to_string(length)});
  if (length > source.size() - 8)
    refuse(file, "header length: expected at most the {} bytes that follow, found {}",
           {std::to_string(source.size() - 8), std::to_string(length)});
  std::string json(length, '\0');
  source.read_at(8, json.data(), json.size());
  if (json.empty() || json[0] != '{')
    refuse(file, "header: expected it to begin with '{', found {}", {shown(json.substr(0, 1))});
  check_tokens(file, json);
  HeaderReader reader(file, header);
  nlohmann::json::sax_parse(json, &reader);
  refuse_duplicates(file, header.entries, [](const Entry& entry) -> std::string_view { return entry.name; });
  refuse_duplicates(file, header.metadata, [](const auto& pair) -> std::string_view { return pair.first; });
  check_layout(file, header.entries, source.size() - 8 - length);
  return 8 + length;
}

void check_booleans(const std::string& file, const std::string& name, const Tensor& tensor) {
  const auto* bytes = static_cast<const uint8_t*>(tensor.data());
  for (int64_t i = 0; i < tensor.numel(); ++i)
    if (bytes[i] > 1)
      refuse(file, "{}: expected booleans of 0 or 1, found {} at {}",
             {shown(name), std::to_string(bytes[i]), std::to_string(i)});
}

nlohmann::ordered_json header_of(const NamedTensors& tensors, const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t begin = 0;
  for (const auto& [name, tensor] : tensors) {
    const uint64_t end = begin + static_cast<uint64_t>(tensor.numel()) * size_of(tensor.dtype());
    // Not operator[]: an ordered_json looks for the name from the front, and names are known to differ.
    nlohmann::ordered_json entry = {{"dtype", format_name(tensor.dtype())},
                                    {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())},
                                    {"data_offsets", {begin, end}}};
    header.get_ref<nlohmann::ordered_json::object_t&>().push_back({name, std::move(entry)});
    begin = end;
  }
  return header;
}

}  // namespace

Tensor Safetensors::find(const std::string& name) const {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  return {};
}

Safetensors load_safetensors(const std::string& path) { return load_safetensors(Source(path)); }

SafetensorsReader::SafetensorsReader(const Source& source) : source_(source) {
  Header header;
  const uint64_t data = read_header(source, header);
  for (auto& [key, value] : header.metadata) metadata_.emplace(std::move(key), std::move(value));
  entries_.reserve(header.entries.size());
  for (auto& entry : header.entries)
    entries_.push_back({std::move(entry.name), *entry.dtype, *entry.shape, data + entry.offsets->first});
}

void SafetensorsReader::read(const Entry& entry, const Tensor& target) const {
  require(target.device().is_cpu() && target.is_contiguous() && target.dtype() == entry.dtype &&
              target.numel() == entry.shape.numel(),
          "safetensors", "{}: expected a contiguous CPU tensor of {} {} to read into, got {} {}", entry.name,
          entry.dtype, entry.shape, target.dtype(), target.shape());
  source_.read_at(entry.begin, target.data(), static_cast<size_t>(target.numel()) * size_of(entry.dtype));
  if (entry.dtype == boolean) check_booleans(source_.name(), entry.name, target);
}

Safetensors load_safetensors(const Source& source) {
  const SafetensorsReader reader(source);
  Safetensors result{{}, reader.metadata()};
  result.tensors.reserve(reader.entries().size());
  for (const SafetensorsReader::Entry& entry : reader.entries()) {
    const Tensor tensor = Tensor::empty(entry.shape, {entry.dtype, cpu_device});
    reader.read(entry, tensor);
    result.tensors.emplace_back(entry.name, tensor);
  }
  return result;
}

void save_safetensors(const std::string& path, const NamedTensors& tensors, const SafetensorsOptions& options) {
  NamedTensors ordered = tensors;
  if (options.sorted) {
    std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
      const size_t wide = size_of(a.second.dtype()), other = size_of(b.second.dtype());
      return wide != other ? wide > other : a.first < b.first;
    });
  }
  refuse_duplicates(path, ordered, [](const auto& pair) -> std::string_view { return pair.first; });
  for (const auto& [name, tensor] : ordered) {
    if (name == "__metadata__") refuse(path, "__metadata__ is not a name for a tensor", {});
    if (!tensor.defined()) refuse(path, "{}: expected a tensor, found none", {shown(name)});
  }
  std::string header;
  try {
    header = header_of(ordered, options.metadata).dump();
  } catch (const nlohmann::json::type_error&) {
    refuse(path, "expected names and metadata in UTF-8, found other bytes", {});
  }
  header.append((8 - header.size() % 8) % 8, ' ');
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::string_view(reinterpret_cast<const char*>(&length), sizeof length));
  file.write(header);
  for (const auto& [name, tensor] : ordered) {
    const Tensor dense = tensor.detach().to(cpu_device).contiguous();
    const size_t bytes = static_cast<size_t>(dense.numel()) * size_of(dense.dtype());
    file.write(std::string_view(static_cast<const char*>(dense.data()), bytes));
  }
  file.commit();
}

}  // namespace percale::io
