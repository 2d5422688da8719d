// The backward pass of an f32 convolution, image by image, by what suits its shape and how much of the gradient is
// zero.
#pragma once

#include "../../core/convolution_shape.h"
#include "../../core/primitives.h"
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

/// Has `compute` fill gradients of f32 in place of `result`, and rounds them into it.
template <class Compute>
void through_f32(const Conv2dGradients& result, Compute&& compute) {
  const auto widened = [](const Tensor& each) { return each.defined() ? Tensor::empty_like(each, f32) : each; };
  const Conv2dGradients wide{widened(result.input), widened(result.weight), widened(result.bias)};
  compute(wide);
  if (result.input.defined()) copy(wide.input, result.input);
  if (result.weight.defined()) copy(wide.weight, result.weight);
  if (result.bias.defined()) copy(wide.bias, result.bias);
}

}  // namespace percale::cpu
