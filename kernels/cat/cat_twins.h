// What the two twins of cat implement: rows of bytes put side by side.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// Part of a join: `rows` rows of `row_bytes` each, dense, go to rows that are `target_row_bytes` apart.
struct JoinedPart {
  const void* source;
  void* target;  ///< where the first row goes
  int64_t rows, row_bytes;
};

namespace cpu {
void join(const std::vector<JoinedPart>& parts, int64_t target_row_bytes);
}
namespace cuda {
void join(const std::vector<JoinedPart>& parts, int64_t target_row_bytes);
}

}  // namespace percale
