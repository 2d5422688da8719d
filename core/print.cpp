#include "print.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string_view>
#include <vector>

namespace percale {
namespace {

PrintOptions current_options;

/// One number as Python's format writes it, 'f' or 'e'; a NaN never has a sign.
std::string number(char notation, int precision, double value) {
  if (std::isnan(value)) return "nan";
  return notation == 'e' ? fmt::format("{:.{}e}", value, precision) : fmt::format("{:.{}f}", value, precision);
}

void copy_edges(const Tensor& from, const Tensor& to, int dim) {
  if (dim == from.rank()) return to.copy_(from.contiguous().to(cpu_device));
  const int64_t size = from.size(dim), shown = to.size(dim), edge = shown / 2;
  if (shown == size) return copy_edges(from, to, dim + 1);
  if (edge == 0) return;
  copy_edges(from.slice(dim, 0, edge), to.slice(dim, 0, edge), dim + 1);
  copy_edges(from.slice(dim, size - edge, size), to.slice(dim, edge, shown), dim + 1);
}

/// What is shown of a tensor, contiguous on the CPU: all of it, or the edge items of each long dimension.
Tensor shown_part(const Tensor& tensor, const PrintOptions& options) {
  if (tensor.numel() <= options.threshold) return tensor.to(cpu_device).contiguous();
  Shape shape = tensor.shape();
  for (int64_t& extent : shape) extent = std::min(extent, 2 * options.edgeitems);
  Tensor part = Tensor::empty(shape, {tensor.dtype(), cpu_device});
  copy_edges(tensor, part, 0);
  return part;
}

/// Writes the elements of what is shown, all in one notation and width, as torch._tensor_str's _Formatter chooses them.
class Formatter {
 public:
  Formatter(const Tensor& part, const PrintOptions& options) : options_(options), dtype_(part.dtype()) {
    visit(dtype_, [&]<class T>() {
      const T* values = part.data<T>();
      if constexpr (std::is_integral_v<T>)
        integers_.assign(values, values + part.numel());
      else
        reals_.assign(values, values + part.numel());
    });
    if (is_floating(dtype_)) choose_notation();
    const size_t count = std::max(integers_.size(), reals_.size());
    for (size_t i = 0; i < count; ++i)
      if (!is_floating(dtype_) || counts(reals_[i])) width_ = std::max(width_, plain(i).size());
  }

  size_t width() const { return width_; }

  std::string operator()(int64_t i) const { return fmt::format("{:>{}}", plain(static_cast<size_t>(i)), width_); }

 private:
  /// Zeros, infinities and NaN have no say in the notation, nor in the width.
  static bool counts(double value) { return std::isfinite(value) && value != 0; }

  void choose_notation() {
    double smallest = INFINITY, largest = 0;
    for (double value : reals_) {
      if (!counts(value)) continue;
      smallest = std::min(smallest, std::abs(value));
      largest = std::max(largest, std::abs(value));
      whole_ = whole_ && value == std::ceil(value);
    }
    if (largest == 0) return;
    scientific_ = options_.sci_mode.value_or(largest / smallest > 1000.0 || largest > 1.0e8 || smallest < 1.0e-4);
  }

  std::string plain(size_t i) const {
    if (dtype_ == boolean) return integers_[i] ? "True" : "False";
    if (!is_floating(dtype_)) return std::to_string(integers_[i]);
    if (scientific_) return number('e', options_.precision, reals_[i]);
    if (whole_) return number('f', 0, reals_[i]) + (std::isfinite(reals_[i]) ? "." : "");
    return number('f', options_.precision, reals_[i]);
  }

  const PrintOptions& options_;
  DType dtype_;
  std::vector<double> reals_;
  std::vector<int64_t> integers_;
  bool whole_ = true, scientific_ = false;
  size_t width_ = 1;
};

/// Brackets, commas, ellipses and line breaks around the elements.
class Layout {
 public:
  Layout(const Tensor& tensor, const PrintOptions& options)
      : sizes_(tensor.shape()), options_(options), part_(shown_part(tensor, options)), format_(part_, options) {}

  std::string text(int64_t indent) const { return sizes_.empty() ? format_(0) : block(0, 0, indent); }

 private:
  bool elided(int dim) const { return part_.size(dim) < sizes_[dim]; }

  std::string block(int dim, int64_t start, int64_t indent) const {
    const int below = sizes_.rank() - dim - 1;
    if (below == 0) return row(start, indent);
    int64_t stride = 1;
    for (int inner = dim + 1; inner < sizes_.rank(); ++inner) stride *= part_.size(inner);
    const std::string separator = fmt::format(",{:\n>{}}{:{}}", "", below, "", indent + 1);
    std::vector<std::string> blocks;
    for (int64_t i = 0; i < part_.size(dim); ++i) blocks.push_back(block(dim + 1, start + i * stride, indent + 1));
    if (elided(dim)) blocks.insert(blocks.begin() + part_.size(dim) / 2, "...");
    return bracketed(blocks, separator, blocks.size(), "");
  }

  std::string row(int64_t start, int64_t indent) const {
    const int64_t count = part_.shape().back();
    std::vector<std::string> items;
    for (int64_t i = 0; i < count; ++i) items.push_back(format_(start + i));
    if (elided(sizes_.rank() - 1)) items.insert(items.begin() + count / 2, count ? " ..." : "...");
    const int64_t fitting = (options_.linewidth - indent) / static_cast<int64_t>(format_.width() + 2);
    return bracketed(items, ", ", static_cast<size_t>(std::max<int64_t>(fitting, 1)),
                     fmt::format(",\n{:{}}", "", indent + 1));
  }

  static std::string bracketed(const std::vector<std::string>& items, const std::string& separator, size_t a_line,
                               const std::string& line_break) {
    std::string text = "[";
    for (size_t i = 0; i < items.size(); ++i) {
      if (i) text += i % a_line ? separator : line_break;
      text += items[i];
    }
    return text += "]";
  }

  Shape sizes_;
  const PrintOptions& options_;
  Tensor part_;
  Formatter format_;
};

std::string_view torch_name(DType dtype) {
  constexpr std::string_view names[] = {"float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"};
  return names[static_cast<int>(dtype)];
}

/// `(2, 3)`, `(3,)`: a tuple of Python's.
std::string tuple(const Shape& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.rank() == 1 ? "," : "");
}

std::vector<std::string> suffixes(const Tensor& tensor, const PrintOptions& options) {
  std::vector<std::string> suffixes;
  const DType dtype = tensor.dtype();
  const bool empty = tensor.numel() == 0;
  if (!tensor.device().is_cpu()) suffixes.push_back(fmt::format("device='{}'", percale::text(tensor.device())));
  if (empty ? tensor.rank() != 1 : options.edgeitems == 0)
    suffixes.push_back(fmt::format("size={}", tuple(tensor.shape())));
  // Values tell f32, i64 and bool apart; an empty tensor has none to tell.
  if (dtype != f32 && (empty || (dtype != i64 && dtype != boolean)))
    suffixes.push_back(fmt::format("dtype=torch.{}", torch_name(dtype)));
  const std::string grad_fn = tensor.grad_fn();
  if (!grad_fn.empty())
    suffixes.push_back(fmt::format("grad_fn=<{}>", grad_fn));
  else if (tensor.requires_grad())
    suffixes.push_back("requires_grad=True");
  return suffixes;
}

}  // namespace

void set_print_options(const PrintOptions& options) { current_options = options; }

PrintOptions print_options() { return current_options; }

std::string to_text(const Tensor& tensor) {
  const PrintOptions options = current_options;
  std::string text = "tensor(";
  const int64_t indent = static_cast<int64_t>(text.size());
  text += tensor.numel() ? Layout(tensor.detach(), options).text(indent) : "[]";
  // PyTorch counts the last line two longer than it is when the text has but one.
  const size_t last_break = text.rfind('\n');
  int64_t line = static_cast<int64_t>(last_break == std::string::npos ? text.size() + 2 : text.size() - last_break + 1);
  for (const std::string& suffix : suffixes(tensor, options)) {
    const int64_t length = static_cast<int64_t>(suffix.size());
    if (line + length + 2 > options.linewidth) {
      text += fmt::format(",\n{:{}}{}", "", indent, suffix);
      line = indent + length;
    } else {
      text.append(", ").append(suffix);
      line += length + 2;
    }
  }
  return text += ")";
}

std::string to_text(const Shape& shape) { return fmt::format("torch.Size({})", text(shape)); }

std::ostream& operator<<(std::ostream& stream, const Tensor& tensor) { return stream << to_text(tensor); }

std::ostream& operator<<(std::ostream& stream, const Shape& shape) { return stream << to_text(shape); }

}  // namespace percale
