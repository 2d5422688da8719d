// What the two twins of conv2d implement, and the checks that its families share. Images are channels-last, weights
// have any strides; a weight (with its bias) is of the images' dtype, or f32 beside bf16.
#pragma once

#include "../../core/convolution_shape.h"
#include "conv2d.h"

namespace percale {

/// The extents of conv2d(x, weight, bias, options), or an error that names `operation`.
ConvolutionShape convolution_shape(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias,
                                   const Conv2dOptions& options);
/// `x` in the dtype that the current precision asks for.
Tensor convolution_operand(const Tensor& x);

namespace cpu {
void convolution(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                 const Tensor& out);
/// Writes those of `out` that are defined. `activated`: what ReLU made of the result, if `gradient` is to come through
/// one, or undefined.
void convolution_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& activated,
                           const Tensor& x, const Tensor& weight, const Conv2dGradients& out);
}  // namespace cpu

namespace cuda {
void convolution(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                 const Tensor& out);
void convolution_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& activated,
                           const Tensor& x, const Tensor& weight, const Conv2dGradients& out);
}  // namespace cuda

}  // namespace percale
