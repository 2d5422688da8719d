// Errors: one line that names the operation, what was expected and what came.
#pragma once

#include <concepts>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "device.h"
#include "dtype.h"
#include "shape.h"

namespace percale {

/// What every failed check of Percale throws; `what()` reads `[operation] message`.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline std::string text(std::string_view value) { return std::string(value); }
inline std::string text(const std::string& value) { return value; }
inline std::string text(const char* value) { return value; }
inline std::string text(bool value) { return value ? "true" : "false"; }
inline std::string text(DType value) { return std::string(name_of(value)); }
std::string text(double value);
template <std::integral T>
std::string text(T value) {
  return std::to_string(value);
}

/// `pattern` with each `{}` replaced by the next of `values`.
std::string format_text(std::string_view pattern, std::initializer_list<std::string> values);
/// Throws Error("[operation] message").
[[noreturn]] void fail(std::string_view operation, std::string_view pattern, std::initializer_list<std::string> values);

/// Throws Error("[operation] message") unless `ok`; each `{}` of `pattern` shows the next of `values`.
template <class... Values>
void require(bool ok, const char* operation, const char* pattern, const Values&... values) {
  if (!ok) [[unlikely]]
    fail(operation, pattern, {text(values)...});
}

}  // namespace percale
