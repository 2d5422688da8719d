// Sorting on the device, in plain types: CUB on a GPU (core/cuda/sort_cuda.cu), the standard library in the emulator.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime.h"

namespace percale::cuda {

/// Bytes of device memory that sort_pairs needs for `count` pairs and keys of `bits` bits.
size_t sort_workspace(int64_t count, int bits);

/// Orders pairs by the lowest `bits` bits of their keys; equal keys keep their order. In the order of `stream`, without
/// waiting or allocating, so that it can be captured. The four arrays do not overlap.
void sort_pairs(const uint32_t* keys, uint32_t* sorted_keys, const uint32_t* values, uint32_t* sorted_values,
                int64_t count, int bits, void* workspace, Stream stream);

}  // namespace percale::cuda
