#include "field.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace percale::data {
namespace {

bool is_blank(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }
bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

/// A field read from the front; past its end stands a NUL.
struct Cursor {
  std::string_view text;
  size_t at = 0;

  char operator*() const { return at < text.size() ? text[at] : '\0'; }
  void operator++() { ++at; }
  void skip_blanks() {
    while (is_blank(**this)) ++at;
  }
  bool is_at_end() const { return at >= text.size(); }
};

bool equal_but_for_case(std::string_view field, std::string_view lower) {
  return field.size() == lower.size() && std::equal(field.begin(), field.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
         });
}

/// True if a decimal number that no double holds is too large, false if too small: by where its first digit stands.
bool is_too_large(std::string_view number) {
  const size_t end = std::min(number.find_first_of("eE"), number.size());
  const size_t point = std::min(number.find('.'), end), first = number.find_first_of("123456789");
  int64_t place = static_cast<int64_t>(point) - static_cast<int64_t>(first), exponent = 0;
  if (end < number.size()) {
    number.remove_prefix(end + (number[end + 1] == '+' ? 2 : 1));
    const auto [_, error] = std::from_chars(number.data(), number.data() + number.size(), exponent);
    if (error != std::errc()) return number[0] != '-';
  }
  return exponent > -place;
}

std::optional<double> parse_infinity(std::string_view field) {
  const bool negative = field.starts_with('-');
  if (negative || field.starts_with('+')) field.remove_prefix(1);
  if (!equal_but_for_case(field, "inf") && !equal_but_for_case(field, "infinity")) return {};
  return negative ? -INFINITY : INFINITY;
}

}  // namespace

bool is_missing(std::string_view field) {
  constexpr std::string_view names[] = {"",     "#N/A",   "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN",
                                        "-nan", "1.#IND", "1.#QNAN",  "<NA>", "N/A",     "NA",       "NULL",
                                        "NaN",  "None",   "n/a",      "nan",  "null"};
  return field.size() <= 9 && std::find(std::begin(names), std::end(names), field) != std::end(names);
}

WholeNumber parse_whole(std::string_view field) {
  Cursor cursor{field};
  cursor.skip_blanks();
  const bool negative = *cursor == '-';
  if (negative || *cursor == '+') ++cursor;
  if (!is_digit(*cursor)) return {.error = ParseError::invalid};
  int64_t value = 0;
  bool overflow = false;
  for (; is_digit(*cursor); ++cursor) {
    const int digit = negative ? '0' - *cursor : *cursor - '0';
    overflow |= __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value);
  }
  cursor.skip_blanks();
  if (!cursor.is_at_end()) return {.error = ParseError::invalid};
  return {.value = value, .error = overflow ? ParseError::overflow : ParseError::none};
}

NaturalNumber parse_natural(std::string_view field) {
  Cursor cursor{field};
  cursor.skip_blanks();
  if (*cursor == '-') return {.negative = true};
  if (*cursor == '+') ++cursor;
  if (!is_digit(*cursor)) return {.error = ParseError::invalid};
  uint64_t value = 0;
  bool overflow = false;
  for (; is_digit(*cursor); ++cursor) {
    const auto digit = static_cast<uint64_t>(*cursor - '0');
    overflow |= __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value);
  }
  cursor.skip_blanks();
  if (!cursor.is_at_end()) return {.error = ParseError::invalid};
  return {.value = value, .error = overflow ? ParseError::overflow : ParseError::none};
}

std::optional<std::string> whole_digits(std::string_view field) {
  Cursor cursor{field};
  cursor.skip_blanks();
  const bool negative = *cursor == '-';
  if (negative || *cursor == '+') ++cursor;
  const size_t begin = cursor.at;
  while (is_digit(*cursor)) ++cursor;
  std::string_view digits = field.substr(begin, cursor.at - begin);
  cursor.skip_blanks();
  if (digits.empty() || !cursor.is_at_end()) return {};
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size() - 1));
  std::string written(negative && digits != "0" ? 1 : 0, '-');
  return written += digits;
}

std::optional<double> parse_real(std::string_view field) {
  if (const auto infinity = parse_infinity(field)) return infinity;
  while (!field.empty() && is_blank(field.front())) field.remove_prefix(1);
  while (!field.empty() && is_blank(field.back())) field.remove_suffix(1);
  const bool negative = field.starts_with('-'), plus = field.starts_with('+');
  const std::string_view digits = field.substr(negative || plus ? 1 : 0);
  if (digits.empty() || !(is_digit(digits[0]) || digits[0] == '.')) return {};  // from_chars takes inf and nan too
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) return {};
  if (error == std::errc::result_out_of_range) value = is_too_large(digits) ? INFINITY : 0;
  return negative ? -value : value;
}

std::optional<bool> parse_truth(std::string_view field) {
  if (equal_but_for_case(field, "true")) return true;
  if (equal_but_for_case(field, "false")) return false;
  return {};
}

}  // namespace percale::data
