// What the two twins of one_hot implement.
#pragma once

#include "../../core/tensor.h"

namespace percale {

inline constexpr const char* class_message = "index {value} at position {position} is out of range for {bound} classes";

namespace cpu {
/// `rows` [..., classes], contiguous like `index` [...].
void one_hot(const Tensor& index, const Tensor& rows);
}  // namespace cpu

namespace cuda {
void one_hot(const Tensor& index, const Tensor& rows);
}  // namespace cuda

}  // namespace percale
