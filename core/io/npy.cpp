#include "npy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "tensor_bytes.h"

namespace percale::io {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t longest_header = 65'535;
constexpr std::array<std::pair<DType, std::string_view>, 7> descriptions = {
    {{f32, "<f4"}, {f64, "<f8"}, {f16, "<f2"}, {i64, "<i8"}, {i32, "<i4"}, {u8, "|u1"}, {boolean, "|b1"}}};

struct Header {
  std::optional<DType> dtype;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
};

/// Reads the Python dictionary of a header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderReader {
 public:
  HeaderReader(const std::string& file, std::string_view text) : file_(file), rest_(text) {}

  Header read() {
    Header header;
    expect("{");
    while (!take("}")) {
      read_item(header);
      if (!take(",") && rest_.substr(0, 1) != "}") refuse("',' or '}'");
    }
    skip_space();
    if (!rest_.empty()) refuse("the end of the header");
    if (!header.dtype || !header.fortran_order || !header.shape)
      fail("npy", "{}: header: expected descr, fortran_order and shape, found no {}",
           {file_, !header.dtype           ? "descr"
                   : !header.fortran_order ? "fortran_order"
                                           : "shape"});
    return header;
  }

 private:
  [[noreturn]] void refuse(std::string_view expected) {
    fail("npy", "{}: header: expected {}, found {}", {file_, std::string(expected), shown(rest_.substr(0, 20))});
  }

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

  bool take(std::string_view token) {
    skip_space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    skip_space();
    return true;
  }

  void expect(std::string_view token) {
    if (!take(token)) refuse(token);
  }

  std::string_view string() {
    const char quote = rest_.empty() ? '\0' : rest_[0];
    const size_t end = quote == '\'' || quote == '"' ? rest_.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos) refuse("a string");
    const std::string_view value = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return value;
  }

  void read_item(Header& header) {
    const std::string_view at = rest_;
    const std::string_view key = string();
    const bool again = (key == "descr" && header.dtype) || (key == "fortran_order" && header.fortran_order) ||
                       (key == "shape" && header.shape);
    if (again || (key != "descr" && key != "fortran_order" && key != "shape")) {
      rest_ = at;
      refuse("descr, fortran_order and shape, once each");
    }
    expect(":");
    if (key == "descr")
      header.dtype = dtype();
    else if (key == "shape")
      header.shape = shape();
    else if (take("True"))
      header.fortran_order = true;
    else
      expect("False"), header.fortran_order = false;
  }

  DType dtype() {
    const std::string_view at = rest_, value = string();
    for (const auto& [dtype, name] : descriptions)
      if (name == value) return dtype;
    rest_ = at;
    refuse("a descr of <f4, <f8, <f2, <i8, <i4, |u1 or |b1");
  }

  Shape shape() {
    Shape shape;
    expect("(");
    while (!take(")")) {
      const int64_t extent = number();
      if (shape.rank() == Shape::max_rank) refuse("at most 8 dimensions");
      shape.push_back(extent);
      // `(3)` is a number in Python: one dimension is `(3,)`.
      if (!take(",") && (shape.rank() == 1 || rest_.substr(0, 1) != ")")) refuse("','");
    }
    return shape;
  }

  int64_t number() {
    int64_t value = 0;
    size_t digits = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits)
      if (__builtin_mul_overflow(value, int64_t{10}, &value) ||
          __builtin_add_overflow(value, rest_[digits] - '0', &value))
        refuse("an extent below 2^63");
    if (!digits) refuse("an extent");
    rest_.remove_prefix(digits);
    skip_space();
    return value;
  }

  const std::string& file_;
  std::string_view rest_;
};

/// Where the data begins, and the header's text.
std::pair<uint64_t, std::string> read_preamble(const Source& source) {
  const std::string& file = source.name();
  char start[10] = {};
  require(source.size() >= sizeof start, "npy", "{}: expected a header of at least 10 bytes, found {} bytes", file,
          source.size());
  source.read_at(0, start, sizeof start);
  const std::string_view found(start, magic.size());
  require(found == magic, "npy", "{}: expected a file that begins with \\x93NUMPY, found {}", file, shown(found));
  const int major = static_cast<uint8_t>(start[6]), minor = static_cast<uint8_t>(start[7]);
  require(major >= 1 && major <= 3 && minor == 0, "npy", "{}: expected version 1.0, 2.0 or 3.0, found {}.{}", file,
          major, minor);
  const size_t width = major == 1 ? 2 : 4;
  require(source.size() >= 8 + width, "npy", "{}: expected a header length of 4 bytes, found the end", file);
  uint32_t length = 0;
  source.read_at(8, &length, width);
  require(length <= longest_header && length <= source.size() - 8 - width, "npy",
          "{}: header length: expected at most {}, found {}", file,
          std::min<uint64_t>(longest_header, source.size() - 8 - width), length);
  std::string header(length, '\0');
  source.read_at(8 + width, header.data(), length);
  return {8 + width + length, header};
}

}  // namespace

Tensor load_npy(const std::string& path) { return load_npy(Source(path)); }

Tensor load_npy(const Source& source) {
  const auto [begin, text_of_header] = read_preamble(source);
  Header header = HeaderReader(source.name(), text_of_header).read();
  Shape shape = *header.shape;
  const auto bytes = tensor_bytes(*header.dtype, shape);
  require(bytes.has_value(), "npy", "{}: a tensor of shape {} is too large", source.name(), shape);
  const uint64_t found = source.size() - begin;
  require(*bytes == found, "npy", "{}: expected {} bytes of data for {} of shape {}, found {}", source.name(), *bytes,
          *header.dtype, shape, found);
  Shape reversed;  // Fortran's order is C's for the dimensions read backwards
  for (int dim = shape.rank(); dim-- > 0;) reversed.push_back(dim);
  Shape stored = shape;
  if (*header.fortran_order) std::reverse(stored.begin(), stored.end());
  Tensor tensor = Tensor::empty(stored, {*header.dtype, cpu_device});
  source.read_at(begin, tensor.data(), *bytes);
  if (tensor.dtype() == boolean) {
    const auto* values = static_cast<const uint8_t*>(tensor.data());
    for (int64_t i = 0; i < tensor.numel(); ++i)
      require(values[i] <= 1, "npy", "{}: expected booleans of 0 or 1, found {} at {}", source.name(), values[i], i);
  }
  return *header.fortran_order ? tensor.permute(reversed).contiguous() : tensor;
}

void save_npy(const std::string& path, const Tensor& tensor) {
  const auto known = std::find_if(descriptions.begin(), descriptions.end(),
                                  [&](const auto& pair) { return pair.first == tensor.dtype(); });
  require(known != descriptions.end(), "npy", "{}: NumPy has no {}; see to(f32)", path, tensor.dtype());
  std::string header = "{'descr': '" + std::string(known->second) + "', 'fortran_order': False, 'shape': (";
  for (int dim = 0; dim < tensor.rank(); ++dim) {
    if (dim) header += " ";
    header += std::to_string(tensor.shape()[dim]);
    if (dim == 0 || dim + 1 < tensor.rank()) header += ",";
  }
  header += "), }";
  const size_t before = magic.size() + 4;
  header.append((64 - (before + header.size() + 1) % 64) % 64, ' ');
  header += '\n';
  std::string preamble(magic);
  preamble += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  const Tensor dense = tensor.detach().to(cpu_device).contiguous();
  AtomicFile file(path);
  file.write(preamble + header);
  file.write(std::string_view(static_cast<const char*>(dense.data()),
                              static_cast<size_t>(dense.numel()) * size_of(dense.dtype())));
  file.commit();
}

}  // namespace percale::io
