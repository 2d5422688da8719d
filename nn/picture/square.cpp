#include "square.h"

#include <algorithm>
#include <cmath>

#include "../../core/error.h"

namespace percale::picture {

std::vector<Point> into_square(const char* operation, const float* values, int64_t count) {
  double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  for (int64_t i = 0; i < 2 * count; ++i) {
    require(std::isfinite(values[i]), operation, "a coordinate is {}", static_cast<double>(values[i]));
    low[i % 2] = std::min<double>(low[i % 2], values[i]);
    high[i % 2] = std::max<double>(high[i % 2], values[i]);
  }
  double extent = std::max(high[0] - low[0], high[1] - low[1]) * 1.06;
  if (!(extent > 0)) extent = 1;
  std::vector<Point> result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back({0.5 + (values[2 * i] - (low[0] + high[0]) / 2) / extent,
                      0.5 + (values[2 * i + 1] - (low[1] + high[1]) / 2) / extent});
  return result;
}

}  // namespace percale::picture
