#include <algorithm>
#include <cstring>

#include "../../core/cpu/threads.h"
#include "cat_twins.h"

namespace percale::cpu {

void join(const std::vector<JoinedPart>& parts, int64_t target_row_bytes) {
  constexpr int64_t grain = 256 * 1024;  // bytes
  // Parts differ in width but share their rows: pieces are rows of all parts, or, where there is one row, parts of
  // bytes.
  const int64_t rows = parts[0].rows;
  if (rows > 1) {
    parallel_for(rows, std::max<int64_t>(grain / target_row_bytes, 1), [&](int64_t begin, int64_t end) {
      for (const JoinedPart& part : parts) {
        const auto* source = static_cast<const char*>(part.source);
        auto* target = static_cast<char*>(part.target);
        for (int64_t row = begin; row < end; ++row)
          std::memcpy(target + row * target_row_bytes, source + row * part.row_bytes,
                      static_cast<size_t>(part.row_bytes));
      }
    });
    return;
  }
  const auto* first = static_cast<char*>(parts[0].target);
  parallel_for(target_row_bytes, grain, [&](int64_t begin, int64_t end) {
    for (const JoinedPart& part : parts) {
      const int64_t start = static_cast<char*>(part.target) - first;
      const int64_t from = std::max(begin - start, int64_t{0}), to = std::min(end - start, part.row_bytes);
      if (from < to)
        std::memcpy(static_cast<char*>(part.target) + from, static_cast<const char*>(part.source) + from,
                    static_cast<size_t>(to - from));
    }
  });
}

}  // namespace percale::cpu
