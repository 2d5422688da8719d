// What the two twins of next_rows implement.
#pragma once

#include "../../core/tensor.h"

namespace percale {

inline constexpr const char* past_end_message = "row {value} of the order is past its end: it has {bound} rows";
inline constexpr const char* no_label_message = "row {value} at position {position} is out of range for {bound} labels";

namespace cpu {
void next_rows(const Tensor& order, const Tensor& all_labels, const Tensor& cursor, const Tensor& rows,
               const Tensor& labels);
}
namespace cuda {
void next_rows(const Tensor& order, const Tensor& all_labels, const Tensor& cursor, const Tensor& rows,
               const Tensor& labels);
}

}  // namespace percale
