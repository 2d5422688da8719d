// Dropout: elements left out at random while training.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// x with each element zero with probability `p`, else divided by 1 - p (Srivastava and others, JMLR 2014). x itself if
/// not `training` or p is 0. Floating dtypes.
///
/// The mask is a function of the random state's key and the element's row-major position: the same on every device and
/// in any memory layout. Nothing is kept of it; the gradient works it out again from the key, so `backward` belongs to
/// the same captured step as the forward pass (a step's end moves the counter that the key refers to).
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true);

}  // namespace percale
