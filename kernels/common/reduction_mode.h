// What becomes of a loss's values.
#pragma once

#include <cstdint>

namespace percale {

enum class Reduction : uint8_t {
  none,  ///< one value an element or position
  mean,
  sum,
};

}  // namespace percale
