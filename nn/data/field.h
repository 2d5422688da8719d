// What a field of text means: missing, a number, a truth value, by the rules of pandas' read_csv.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace percale::data {

/// True for an empty field and for pandas' other names of nothing: NA, N/A, n/a, NaN, nan, None, NULL, null, <NA> ...
bool is_missing(std::string_view field);

enum class ParseError { none, invalid, overflow };

/// A whole number in decimal, a sign and blanks around it allowed.
struct WholeNumber {
  int64_t value = 0;
  ParseError error = ParseError::none;
};
WholeNumber parse_whole(std::string_view field);

/// As above from 0 to 2^64 - 1. A field that begins with a minus is not looked at further: value 0, `negative` set.
struct NaturalNumber {
  uint64_t value = 0;
  ParseError error = ParseError::none;
  bool negative = false;
};
NaturalNumber parse_natural(std::string_view field);

/// A whole number of any size without blanks, plus sign and leading zeros; nothing if it is none.
std::optional<std::string> whole_digits(std::string_view field);

/// A decimal number with fraction and exponent, or inf or infinity in letters of any case, rounded to the nearest
/// double (to an infinite one where it is too large). Blanks around it are allowed. Anything else, nan too: nothing.
std::optional<double> parse_real(std::string_view field);

/// true or false, in letters of any case.
std::optional<bool> parse_truth(std::string_view field);

}  // namespace percale::data
