#include "categories.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "../../core/error.h"
#include "field.h"

namespace percale::data {
namespace {

constexpr std::pair<ColumnKind, std::string_view> kind_names[] = {
    {ColumnKind::whole, "whole"}, {ColumnKind::natural, "natural"},
    {ColumnKind::huge, "huge"},   {ColumnKind::whole_as_real, "whole_as_real"},
    {ColumnKind::real, "real"},   {ColumnKind::truth, "truth"},
    {ColumnKind::text, "text"}};

/// True if `parse` takes every field that is not missing.
template <class Parse>
bool all_parse(const TextColumn& column, Parse parse) {
  for (int64_t row = 0; row < column.rows(); ++row)
    if (!is_missing(column[row]) && !parse(column[row])) return false;
  return true;
}

/// Of a column that holds a number beyond 2^63; nothing where a field is no whole number at all.
std::optional<ColumnKind> kind_of_large(const TextColumn& column) {
  const auto huge_or_text = [&] { return all_parse(column, whole_digits) ? ColumnKind::huge : ColumnKind::text; };
  bool above = false, negative = false, missing = false;
  for (int64_t row = 0; row < column.rows(); ++row) {
    if (is_missing(column[row])) {
      missing = true;
      continue;
    }
    const NaturalNumber number = parse_natural(column[row]);
    if (number.error == ParseError::overflow) return huge_or_text();
    if (number.error == ParseError::invalid) return {};
    above = above || number.value > INT64_MAX;
    negative = negative || number.negative;
  }
  if (above && (negative || missing)) return ColumnKind::text;
  return negative ? huge_or_text() : ColumnKind::natural;
}

/// The order of what `whole_digits` writes.
bool is_below(const std::string& a, const std::string& b) {
  const bool negative = a[0] == '-';
  if (negative != (b[0] == '-')) return negative;
  const std::string &small = negative ? b : a, &large = negative ? a : b;
  return small.size() != large.size() ? small.size() < large.size() : small < large;
}

bool is_in_order(const std::string& a, const std::string& b, ColumnKind kind) {
  return kind == ColumnKind::huge ? is_below(a, b) : a < b;
}

/// Text and huge numbers are looked up as they are written.
bool has_keys(ColumnKind kind) { return kind != ColumnKind::text && kind != ColumnKind::huge; }

/// Sorts as the numbers do, and is the same for 0.0 and -0.0.
uint64_t key_of(double value) {
  constexpr uint64_t sign = uint64_t{1} << 63;
  const auto bits = std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
  return bits & sign ? ~bits : bits | sign;
}
uint64_t key_of(int64_t value) {
  return static_cast<uint64_t>(value) ^ uint64_t { 1 } << 63;
}
uint64_t key_of(uint64_t value) { return value; }

/// `7.0` among whole numbers, if it is one of T.
template <class T>
std::optional<uint64_t> key_of_rounded(std::string_view field) {
  const std::optional<double> value = parse_real(field);
  const double low = static_cast<double>(std::numeric_limits<T>::min()),
               high = std::ldexp(1, std::numeric_limits<T>::digits);
  if (!value || *value != std::round(*value) || *value < low || *value >= high) return {};
  return key_of(static_cast<T>(*value));
}

/// What a field that is not missing is among values of a kind that has keys: equal for equal values, and in their
/// order. Nothing if it is not of the kind.
std::optional<uint64_t> key_of(std::string_view field, ColumnKind kind) {
  if (kind == ColumnKind::truth) return parse_truth(field);
  if (kind == ColumnKind::natural) {
    const NaturalNumber number = parse_natural(field);
    const bool is_natural = number.error == ParseError::none && !number.negative;
    return is_natural ? key_of(number.value) : key_of_rounded<uint64_t>(field);
  }
  if (kind != ColumnKind::real)
    if (const WholeNumber number = parse_whole(field); number.error == ParseError::none)
      return kind == ColumnKind::whole ? key_of(number.value) : key_of(static_cast<double>(number.value));
  if (kind == ColumnKind::whole) return key_of_rounded<int64_t>(field);
  const std::optional<double> value = parse_real(field);
  return value ? std::optional(key_of(*value)) : std::nullopt;
}

/// As Python's repr.
std::string number_text(double value) {
  std::string digits = fmt::format("{}", value);
  if (digits.find_first_of(".en") == std::string::npos) digits += ".0";
  return digits;
}

/// How a category of a kind that has keys is written whose field was first met as `field`.
std::string category_text(std::string_view field, ColumnKind kind) {
  if (kind == ColumnKind::whole) return text(parse_whole(field).value);
  if (kind == ColumnKind::natural) return text(parse_natural(field).value);
  if (kind == ColumnKind::whole_as_real) return number_text(static_cast<double>(parse_whole(field).value));
  if (kind == ColumnKind::truth) return *parse_truth(field) ? "True" : "False";
  return number_text(*parse_real(field));
}

/// The key of what `category_text` wrote: its digits are exact, which parse_real would not be.
std::optional<uint64_t> key_of_name(const std::string& name, ColumnKind kind) {
  if (kind != ColumnKind::real && kind != ColumnKind::whole_as_real) return key_of(name, kind);
  double value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  if (error != std::errc() || end != name.data() + name.size() || std::isnan(value)) return {};
  return key_of(value);
}

[[noreturn]] void refuse_value(const TextColumn& column, int64_t row, ColumnKind kind) {
  fail("categories", "column {}: expected values of kind {}, found {}",
       {column.name(), text(name_of(kind)), io::shown(column[row])});
}

std::vector<std::string> sorted_texts(const TextColumn& column, ColumnKind kind) {
  std::unordered_set<std::string> names;
  for (int64_t row = 0; row < column.rows(); ++row) {
    if (is_missing(column[row])) continue;
    const auto name = kind == ColumnKind::text ? std::string(column[row]) : whole_digits(column[row]);
    if (!name) refuse_value(column, row, kind);
    names.insert(*name);
  }
  std::vector<std::string> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end(), [kind](const auto& a, const auto& b) { return is_in_order(a, b, kind); });
  return sorted;
}

std::vector<std::string> sorted_names(const TextColumn& column, ColumnKind kind) {
  if (!has_keys(kind)) return sorted_texts(column, kind);
  std::unordered_map<uint64_t, std::string_view> first;
  std::vector<uint64_t> keys;
  for (int64_t row = 0; row < column.rows(); ++row) {
    if (is_missing(column[row])) continue;
    const std::optional<uint64_t> key = key_of(column[row], kind);
    if (!key) refuse_value(column, row, kind);
    if (first.try_emplace(*key, column[row]).second) keys.push_back(*key);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::string> names;
  for (const uint64_t key : keys) names.push_back(category_text(first[key], kind));
  return names;
}

}  // namespace

std::string_view name_of(ColumnKind kind) { return kind_names[static_cast<int>(kind)].second; }

ColumnKind kind_named(std::string_view name) {
  for (const auto& [kind, known] : kind_names)
    if (name == known) return kind;
  fail("categories", "there is no kind of column called {}", {io::shown(name)});
}

ColumnKind kind_of(const TextColumn& column) {
  bool missing = false;
  ParseError error = ParseError::none;
  for (int64_t row = 0; row < column.rows() && error == ParseError::none; ++row) {
    if (is_missing(column[row]))
      missing = true;
    else
      error = parse_whole(column[row]).error;
  }
  if (error == ParseError::none) return missing ? ColumnKind::whole_as_real : ColumnKind::whole;
  if (error == ParseError::overflow)
    if (const auto kind = kind_of_large(column)) return *kind;
  if (all_parse(column, parse_real)) return ColumnKind::real;
  return all_parse(column, parse_truth) ? ColumnKind::truth : ColumnKind::text;
}

Categories::Categories(const TextColumn& column, ColumnKind kind) : Categories(kind, sorted_names(column, kind)) {}

Categories::Categories(ColumnKind kind, std::vector<std::string> names) : kind_(kind), names_(std::move(names)) {
  uint64_t before = 0;
  for (int64_t code = 0; code < count(); ++code) {
    const std::string& name = names_[static_cast<size_t>(code)];
    bool in_order = true;
    if (has_keys(kind)) {
      const std::optional<uint64_t> key = key_of_name(name, kind);
      require(key.has_value(), "categories", "expected values of kind {}, found {}", name_of(kind), io::shown(name));
      in_order = code == 0 || before < *key;
      code_of_key_.emplace(before = *key, code);
    } else {
      require(kind == ColumnKind::text || whole_digits(name) == name, "categories", "expected whole numbers, found {}",
              io::shown(name));
      in_order = code == 0 || is_in_order(names_[static_cast<size_t>(code - 1)], name, kind);
      code_of_text_.emplace(name, code);
    }
    require(in_order, "categories", "expected different values in order, found {} at {}", io::shown(name), code);
  }
}

int64_t Categories::code(std::string_view field) const {
  if (is_missing(field)) return -1;
  if (has_keys(kind_)) {
    const std::optional<uint64_t> key = key_of(field, kind_);
    const auto found = key ? code_of_key_.find(*key) : code_of_key_.end();
    return found == code_of_key_.end() ? -1 : found->second;
  }
  const auto digits = kind_ == ColumnKind::huge ? whole_digits(field) : std::nullopt;
  const auto found = code_of_text_.find(digits ? std::string_view(*digits) : field);
  return found == code_of_text_.end() ? -1 : found->second;
}

Tensor Categories::codes(const TextColumn& column) const {
  const Tensor codes = Tensor::empty({column.rows()}, {i64, cpu_device});
  for (int64_t row = 0; row < column.rows(); ++row) codes.data<int64_t>()[row] = code(column[row]);
  return codes;
}

}  // namespace percale::data
