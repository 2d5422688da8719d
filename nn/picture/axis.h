// Axes: round numbers at even steps, and how they are written.
#pragma once

#include <string>
#include <vector>

namespace percale::picture {

/// A number as people write it: no trailing zeros, thousands apart (`10,000`), tiny and huge ones as powers of ten.
std::string number(double value, int digits);
/// As above with as many digits (at most four) as the value has.
std::string number(double value);
/// A share of 0 to 1 in percent, with so many digits after the point: `97.5 %`.
std::string percent(double share, int digits);

/// From `low` to `high` on the page and the round numbers between them.
struct Axis {
  double low = 0, high = 1;
  std::vector<double> ticks;
  int digits = 0;  ///< after the point, that the ticks need

  /// 0 at `low`, 1 at `high`.
  double place(double value) const { return (value - low) / (high - low); }
};

/// An axis with about `wanted` ticks that holds both ends; `whole` allows no fractions.
Axis make_axis(double low, double high, int wanted, bool whole = false);

}  // namespace percale::picture
