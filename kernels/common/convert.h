// One element's type into another, as PyTorch converts: through float for the 16-bit types, non-zero is true.
#pragma once

#include <cstdint>
#include <type_traits>

#include "../../core/dtype.h"

namespace percale {

template <class To, class From>
PERCALE_HOST_DEVICE inline To convert_to(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, bool>) {
    return static_cast<compute_t<From>>(value) != compute_t<From>(0);
  } else if constexpr (std::is_same_v<To, half> || std::is_same_v<To, bfloat16>) {
    return To(static_cast<float>(static_cast<compute_t<From>>(value)));
  } else if constexpr (std::is_same_v<To, uint8_t> && !std::is_same_v<From, bool> && !std::is_integral_v<From>) {
    return static_cast<uint8_t>(
        static_cast<int64_t>(static_cast<compute_t<From>>(value)));  // wraps, as from an integer
  } else {
    return static_cast<To>(static_cast<compute_t<From>>(value));
  }
}

}  // namespace percale
