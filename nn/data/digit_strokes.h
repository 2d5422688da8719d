// How people write the ten digits: for each some skeletons of strokes, from which generated digits are drawn.
#pragma once

#include <span>

namespace percale::data {

/// A point of a stroke: x to the right, y downwards, both about 0 to 1. The stroke bends smoothly through its points; a
/// corner stands where `corner` is true.
struct StrokePoint {
  float x, y;
  bool corner = false;
};

using Stroke = std::span<const StrokePoint>;

/// One way to write a digit.
struct Skeleton {
  int digit;
  float weight;  ///< how common it is among its digit's ways
  float width;   ///< of the box, relative to its height
  std::span<const Stroke> strokes;
};

/// All of them, ordered by digit.
std::span<const Skeleton> digit_skeletons();

}  // namespace percale::data
