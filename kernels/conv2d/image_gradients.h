// The backward pass of an f32 convolution, image by image, by what suits its shape and how much of the gradient is
// zero.
#pragma once

#include "../../core/convolution_shape.h"
#include "conv2d.h"
#include "output_gradient.h"

namespace percale::cpu {

/// Whether gradients can be taken straight from those behind a 2 x 2 max pool.
bool takes_pooled_gradients(const ConvolutionShape& shape);
/// Writes those of `out` that are defined, all f32. `gradient` is the whole batch's. The same bytes whether it comes
/// pooled (if takes_pooled_gradients) or as pool and ReLU pass it on.
void image_gradients(const ConvolutionShape& shape, const OutputGradient& gradient, const Tensor& x,
                     const Tensor& weight, const Conv2dGradients& out);

/// partials[0] += partials[1] + ... in order; each has `stride` values.
void sum_partials(float* partials, int64_t groups, int64_t stride);

}  // namespace percale::cpu
