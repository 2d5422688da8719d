// Rows of 16-bit numbers to and from floats on the CPU, with run-time dispatch; the same bits as
// core/half.h (a NaN may come quiet).
#pragma once

#include <cstddef>

#include "../../core/half.h"

namespace percale::cpu {

void floats_of(const half* from, float* to, size_t count);
void floats_of(const bfloat16* from, float* to, size_t count);
void rounded_floats(const float* from, half* to, size_t count);
void rounded_floats(const float* from, bfloat16* to, size_t count);

}  // namespace percale::cpu
