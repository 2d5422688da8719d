// Whole numbers as rows of zeros with a single one.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// result[..., c] = 1 where c = index[...], else 0: PyTorch's `F.one_hot`, in any dtype.
/// @param index i64 or i32, any shape of up to 7 dimensions.
/// @param classes how many columns; -1: one more than the largest entry, which waits for the device.
/// Errors: an entry that is negative or not below `classes`, with its position (on CUDA at the next synchronising call;
/// its row is zeros); classes of -1 with an empty index.
Tensor one_hot(const Tensor& index, int64_t classes = -1, DType dtype = i64);

}  // namespace percale
