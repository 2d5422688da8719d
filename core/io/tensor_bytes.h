// How many bytes a file's tensor has, if that can be true.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "../dtype.h"
#include "../shape.h"

namespace percale::io {

/// Bytes of `shape` in `dtype`; nothing where they, or the strides of an empty one, overflow.
inline std::optional<uint64_t> tensor_bytes(DType dtype, const Shape& shape) {
  auto bytes = static_cast<int64_t>(size_of(dtype));
  bool empty = false;
  for (const int64_t extent : shape) {
    empty |= extent == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(extent, 1), &bytes)) return {};
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

}  // namespace percale::io
