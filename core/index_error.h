// What is said of an index that does not fit, on both devices.
#pragma once

#include <string>
#include <string_view>

#include "shape.h"

namespace percale {

inline constexpr const char* index_message =
    "index {value} at position {position} is out of range for a table of {bound} rows";

/// Throws Error("[operation] message") about entry `position` of an index of `shape`: the message's {value}, {position}
/// and {bound} are filled in.
[[noreturn]] void fail_at(std::string_view operation, std::string message, int64_t value, int64_t position,
                          const Shape& shape, int64_t bound);

}  // namespace percale
