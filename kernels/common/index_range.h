// Indices on the CPU, looked at before they are used: in the words that CUDA's kernels report by
// (core/cuda/error_word.h).
#pragma once

#include <optional>

#include "../../core/index_error.h"

namespace percale::cpu {

/// An error, `message` about the first that does not fit, unless each of `index` [shape] is one of 0 to `bound` - 1 or
/// `ignored`.
template <class Index>
void check_range(const char* operation, const char* message, const Index* index, const Shape& shape, int64_t bound,
                 std::optional<int64_t> ignored = {}) {
  const auto fits = [&](Index at) {
    const auto value = static_cast<int64_t>(at);
    return (static_cast<uint64_t>(value) < static_cast<uint64_t>(bound)) | (ignored && value == *ignored);
  };
  bool all = true;  // without a way out of the loop, so that vectors do it
  for (int64_t i = 0; i < shape.numel(); ++i) all &= fits(index[i]);
  if (all) return;
  int64_t first = 0;
  while (fits(index[first])) ++first;
  fail_at(operation, message, index[first], first, shape, bound);
}

}  // namespace percale::cpu
