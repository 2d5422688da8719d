#include "axis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace percale::picture {

std::string number(double value, int digits) {
  char plain[64];
  const double size = std::abs(value);
  if (size != 0 && (size >= 1e7 || size < 1e-4)) {
    std::snprintf(plain, sizeof plain, "%.3g", value);
    return plain;
  }
  std::snprintf(plain, sizeof plain, "%.*f", digits, value);
  const std::string_view whole = plain;
  const size_t point = std::min(whole.find('.'), whole.size());
  const size_t first = whole[0] == '-' ? 1 : 0;
  std::string text;
  for (size_t i = 0; i < whole.size(); ++i) {
    if (i > first && i < point && (point - i) % 3 == 0) text += ',';
    text += whole[i];
  }
  return text;
}

std::string number(double value) {
  int digits = 0;
  for (double scaled = value; digits < 4 && std::abs(scaled - std::round(scaled)) > 1e-6; scaled *= 10) ++digits;
  return number(value, digits);
}

std::string percent(double share, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %%", digits, 100 * share);
  return text;
}

Axis make_axis(double low, double high, int wanted, bool whole) {
  if (!(high > low)) {
    const double margin = low == 0 ? 1 : std::abs(low) / 2;
    high = low + margin;
    low -= margin;
  }
  const double rough = (high - low) / wanted;
  const double magnitude = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * magnitude;
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * magnitude >= rough) {
      step = factor * magnitude;
      break;
    }
  if (whole) step = std::max(1.0, std::round(step));
  Axis axis{.low = low, .high = high, .ticks = {}};
  for (double tick = std::ceil(low / step - 1e-9); tick * step <= high + 1e-9 * step; ++tick)
    axis.ticks.push_back(tick * step + 0.0);  // no -0
  axis.digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return axis;
}

}  // namespace percale::picture
