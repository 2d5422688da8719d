// What the two twins of conv2d_relu_max_pool2d implement. Images are channels-last, positions u8.
#pragma once

#include "../conv2d/conv2d_twins.h"
#include "../pooling/pooling_twins.h"

namespace percale {

namespace cpu {
/// `positions` may be undefined.
void convolution_pool(const ConvolutionShape& shape, const PoolGeometry& pool, const Tensor& x, const Tensor& weight,
                      const Tensor& bias, const Tensor& out, const Tensor& positions);
/// Writes those of `result` that are defined; `out` is the forward pass's.
void convolution_pool_gradients(const ConvolutionShape& shape, const PoolGeometry& pool, const Tensor& gradient,
                                const Tensor& out, const Tensor& positions, const Tensor& x, const Tensor& weight,
                                const Conv2dGradients& result);
}  // namespace cpu

namespace cuda {
void convolution_pool(const ConvolutionShape& shape, const PoolGeometry& pool, const Tensor& x, const Tensor& weight,
                      const Tensor& bias, const Tensor& out, const Tensor& positions);
void convolution_pool_gradients(const ConvolutionShape& shape, const PoolGeometry& pool, const Tensor& gradient,
                                const Tensor& out, const Tensor& positions, const Tensor& x, const Tensor& weight,
                                const Conv2dGradients& result);
}  // namespace cuda

}  // namespace percale
