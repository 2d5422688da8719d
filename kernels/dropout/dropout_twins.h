// What the two twins of dropout implement.
#pragma once

#include <cstdint>

#include "../../core/philox.h"
#include "../../core/tensor.h"

namespace percale::cpu {
/// out = x * scale where the bits of the element's row-major position are at least `threshold`, else 0.
void dropout(const Tensor& x, const RandomKey& key, uint32_t threshold, double scale, const Tensor& out);
}  // namespace percale::cpu

namespace percale::cuda {
void dropout(const Tensor& x, const RandomKey& key, uint32_t threshold, double scale, const Tensor& out);
}  // namespace percale::cuda
