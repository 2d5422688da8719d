// A height and a width, or one number for both.
#pragma once

#include <cstdint>
#include <string>

#include "../../core/error.h"
#include "../../core/shape.h"

namespace percale::nn {

/// What `kernel_size`, `stride`, `padding` and `dilation` are: `3` or `{3, 5}`.
struct Pair {
  int64_t height, width;
  bool single;  ///< given as one number, and printed as one

  Pair(int64_t both) : height(both), width(both), single(true) {}
  Pair(int64_t height, int64_t width) : height(height), width(width), single(false) {}
  Shape shape() const { return {height, width}; }
  friend bool operator==(const Pair& a, const Pair& b) { return a.height == b.height && a.width == b.width; }
};

/// `(3, 5)`
inline std::string tuple_text(const Pair& pair) {
  return format_text("({}, {})", {text(pair.height), text(pair.width)});
}
/// `3` if it was given as one number, else `(3, 5)`
inline std::string to_text(const Pair& pair) { return pair.single ? text(pair.height) : tuple_text(pair); }

}  // namespace percale::nn
