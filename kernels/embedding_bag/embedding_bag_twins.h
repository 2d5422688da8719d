// What the two twins of embedding_bag implement, on contiguous memory.
#pragma once

#include "../../core/tensor.h"
#include "embedding_bag.h"

namespace percale {

inline constexpr const char* offset_message =
    "offset {value} at position {position} is out of place: offsets begin at 0, ascend, and end within {bound} entries";

/// `weights` [count] of the table's dtype may be undefined; `padding` is -1 or a row to be left out.
struct Bags {
  Tensor table, index, weights;
  Tensor starts;  ///< i64 [bags + 1], checked and within the index
  int64_t padding;
  Shape index_shape;  ///< as the user gave it, for messages
  BagMode mode;
};

/// What becomes of them: `sizes` counts the entries that were not left out, in the table's dtype [bags]; `chosen` says
/// which entry each maximum is from, i64 [bags, width], -1 in an empty bag (undefined but for max).
struct Bagged {
  Tensor rows, sizes, chosen;
};

namespace cpu {
/// `starts` [bags + 1] from offsets [bags] (or [bags + 1] with `ended`), which are checked.
void bag_starts(const Tensor& offsets, int64_t count, bool ended, const Tensor& starts);
/// `starts` of bags of `length` entries each.
void even_starts(int64_t length, const Tensor& starts);
/// `bag` and `entry`, i64 [count]: the bag of each entry, and its number.
void number_entries(const Tensor& starts, const Tensor& bag, const Tensor& entry);
void reduce_bags(const Bags& bags, const Bagged& result);
}  // namespace cpu

namespace cuda {
void bag_starts(const Tensor& offsets, int64_t count, bool ended, const Tensor& starts);
void even_starts(int64_t length, const Tensor& starts);
void number_entries(const Tensor& starts, const Tensor& bag, const Tensor& entry);
void reduce_bags(const Bags& bags, const Bagged& result);
}  // namespace cuda

}  // namespace percale
