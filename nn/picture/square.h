// Points of the plane placed in a square.
#pragma once

#include <cstdint>
#include <vector>

#include "canvas.h"

namespace percale::picture {

/// `count` pairs of coordinates scaled together, so that distances are what they were, into the middle of the square
/// from 0 to 1. An error by `operation` if one is not finite.
std::vector<Point> into_square(const char* operation, const float* values, int64_t count);

}  // namespace percale::picture
