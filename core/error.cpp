#include "error.h"

#include <cstdio>

#include "index_error.h"

namespace percale {

std::string text(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.6g", value);
  return digits;
}

std::string format_text(std::string_view pattern, std::initializer_list<std::string> values) {
  std::string result;
  auto value = values.begin();
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool slot = pattern.substr(i, 2) == "{}" && value != values.end();
    if (slot)
      result += *value++, ++i;
    else
      result += pattern[i];
  }
  return result;
}

void fail(std::string_view operation, std::string_view pattern, std::initializer_list<std::string> values) {
  throw Error("[" + std::string(operation) + "] " + format_text(pattern, values));
}

void fail_at(std::string_view operation, std::string message, int64_t value, int64_t position, const Shape& shape,
             int64_t bound) {
  const auto put = [&](std::string_view slot, const std::string& text) {
    if (const size_t at = message.find(slot); at != std::string::npos) message.replace(at, slot.size(), text);
  };
  put("{value}", std::to_string(value));
  put("{position}", position_text(position, shape));
  put("{bound}", std::to_string(bound));
  fail(operation, "{}", {message});
}

void unsupported(const char* operation, DType dtype) {
  fail(operation, "does not take elements of dtype {}", {text(dtype)});
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (is_floating(a) != is_floating(b)) return is_floating(a) ? a : b;
  if (is_floating(a)) {
    if (a == f64 || b == f64) return f64;
    return f32;  // f32 with anything, and f16 with bf16
  }
  if (a == boolean) return b;
  if (b == boolean) return a;
  if (a == i64 || b == i64) return i64;
  return i32;
}

}  // namespace percale
