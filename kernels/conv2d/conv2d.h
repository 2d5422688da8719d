// Two-dimensional convolution, with or without ReLU, and its gradients.
#pragma once

#include "../../core/tensor.h"

namespace percale {

/// As PyTorch's arguments of the same names: [vertical, horizontal].
struct Conv2dOptions {
  Shape stride{1, 1};
  Shape padding{0, 0};
  Shape dilation{1, 1};
  int64_t groups = 1;
};

/// The cross-correlation of images with a bank of filters (LeCun et al. 1989; what PyTorch calls conv2d):
///   out[n, o, y, x] = bias[o] + sum over i, u, v of x[n, i, y * stride - padding + u * dilation, ...] * weight[o, i,
///   u, v]
/// @param x       [N, C, H, W] or [C, H, W]; f32, f64, f16 or bf16. Channels-last is the fast layout: any other is
/// copied.
/// @param weight  [O, C / groups, kernel height, kernel width], of x's dtype (or f32 with a bf16 x).
/// @param bias    [O], or undefined for none.
/// @return [N, O, OH, OW], channels-last in memory; OH = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride)
/// + 1.
///     Under a bf16 PrecisionGuard an f32 x is rounded to bf16 and so is the result; gradients of weights stay f32.
/// Errors: ranks, channels, groups or bias that do not fit, a kernel larger than the padded input, a mixture of dtypes.
/// CPU: oneDNN in f32 and bf16, where single-channel images and sparse gradients have kernels of their own; f16
/// computes in f32. CUDA: cuDNN. The same bytes each time and at any number of threads.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Conv2dOptions& options = {});
/// relu(conv2d(...)), the same bytes without a second pass over the result.
Tensor conv2d_relu(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Conv2dOptions& options = {});

/// What conv2d hands back to its inputs. Undefined where not wanted.
struct Conv2dGradients {
  Tensor input, weight, bias;
};
struct Conv2dWanted {
  bool input = true, weight = true, bias = true;
};
/// The gradients of conv2d(x, weight, bias, options) for the gradient [N, O, OH, OW] of its result. Differentiable
/// itself.
Conv2dGradients conv2d_gradients(const Tensor& gradient, const Tensor& x, const Tensor& weight,
                                 const Conv2dOptions& options = {}, Conv2dWanted wanted = {});

}  // namespace percale
