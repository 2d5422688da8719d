// What a layer does to its product before it stores it.
#pragma once

#include <cstdint>

namespace percale {

enum class Activation : uint8_t {
  none,
  relu,
  gelu,  ///< x P(X <= x): on the CPU alone, where `cpu::finishes_gelu` says so
};

}  // namespace percale
