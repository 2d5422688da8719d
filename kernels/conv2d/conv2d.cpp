#include "conv2d.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/precision.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "../elementwise/elementwise.h"
#include "../elementwise/elementwise_twins.h"
#include "conv2d_twins.h"

namespace percale {
namespace {

int64_t out_extent(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

void check_pair(const char* operation, const char* name, const Shape& pair, int64_t least) {
  require(pair.rank() == 2 && pair[0] >= least && pair[1] >= least, operation,
          "{} must be two numbers of at least {}, [vertical, horizontal], got {}", name, least, pair);
}

/// Those of `by` that are wanted, made and not yet written.
Conv2dGradients empty_gradients(const Tensor& x, const Tensor& weight, Conv2dWanted wanted) {
  Conv2dGradients by;
  if (wanted.input) by.input = Tensor::empty_channels_last(x.shape(), x.options());
  if (wanted.weight) by.weight = Tensor::empty_like(weight);
  if (wanted.bias) by.bias = Tensor::empty({weight.size(0)}, weight.options());
  return by;
}

/// `activated`: what ReLU made of the result, or undefined.
void write_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& activated, const Tensor& x,
                     const Tensor& weight, const Conv2dGradients& by) {
  if (gradient.numel())
    return on<cpu::convolution_gradients, cuda::convolution_gradients>(x.device(), shape, gradient, activated, x,
                                                                       weight, by);
  for (const Tensor* result : {&by.input, &by.weight, &by.bias})
    if (result->defined()) fill(*result, 0);
}

/// Through ReLU and convolution in one pass, unless that is itself to be differentiated: then in steps, the same bytes.
Conv2dGradients gradients_through_relu(const Tensor& gradient, const Tensor& activated, const Tensor& x,
                                       const Tensor& weight, const Conv2dOptions& options, Conv2dWanted wanted) {
  if (should_record({gradient, x, weight}))
    return conv2d_gradients(relu_gradient(gradient, activated), x, weight, options, wanted);
  const Operation operation{"conv2d_relu_gradients"};
  const Conv2dGradients by = empty_gradients(x, weight, wanted);
  write_gradients(convolution_shape("conv2d_relu", x, weight, {}, options), gradient.channels_last(), activated, x,
                  weight, by);
  return by;
}

/// The precision of the forward pass is the backward pass's too.
Tensor convolve(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                const Conv2dOptions& options) {
  const Tensor images = x.channels_last();
  Tensor out =
      Tensor::empty_channels_last({shape.batch, shape.out_channels, shape.out_height, shape.out_width}, x.options());
  if (out.numel()) on<cpu::convolution, cuda::convolution>(x.device(), shape, images, weight, bias, relu, out);
  return record(
      relu ? "ReluBackward0" : "ConvolutionBackward0", out, {images, weight, bias},
      saved(images, weight, relu ? out : Tensor()),
      [options, relu, precision = current_precision()](const Tensors& gradients, const Saved& saved) -> Tensors {
        const PrecisionScope scope(precision);
        const Conv2dWanted wanted{saved.needs(0), saved.needs(1), saved.needs(2)};
        const auto by =
            relu ? gradients_through_relu(gradients[0], saved[2].detach(), saved[0], saved[1], options, wanted)
                 : conv2d_gradients(gradients[0], saved[0], saved[1], options, wanted);
        return {by.input, by.weight, by.bias};
      });
}

Tensor convolve(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                const Conv2dOptions& options) {
  require(x.rank() == 3 || x.rank() == 4, operation, "expected images [N, C, H, W] or [C, H, W], got {}", x.shape());
  if (x.rank() == 3) return convolve(operation, x.unsqueeze(0), weight, bias, relu, options).squeeze(0);
  const Tensor operand = convolution_operand(x);
  return convolve(convolution_shape(operation, operand, weight, bias, options), operand, weight, bias, relu, options);
}

/// An undefined one is zero.
Tensor sum_of(const Tensor& a, const Tensor& b) { return a.defined() && b.defined() ? a + b : a.defined() ? a : b; }

}  // namespace

ConvolutionShape convolution_shape(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias,
                                   const Conv2dOptions& options) {
  require(x.rank() == 4, operation, "expected images [N, C, H, W], got {}", x.shape());
  require(weight.rank() == 4, operation, "expected a weight [O, C / groups, height, width], got {}", weight.shape());
  require(is_floating(x.dtype()), operation, "expected floating-point images, got {}", x.dtype());
  require(weight.dtype() == x.dtype() || (x.dtype() == bf16 && weight.dtype() == f32), operation,
          "images of {} and a weight of {} should have one dtype", x.dtype(), weight.dtype());
  check_pair(operation, "stride", options.stride, 1);
  check_pair(operation, "padding", options.padding, 0);
  check_pair(operation, "dilation", options.dilation, 1);
  const int64_t groups = options.groups, channels = x.size(1), filters = weight.size(0);
  require(groups >= 1, operation, "groups must be at least 1, got {}", groups);
  require(weight.numel() > 0, operation, "the weight {} is empty", weight.shape());
  require(channels == weight.size(1) * groups, operation,
          "given groups={}, weight of size {}, expected input {} to have {} channels, but got {} channels instead",
          groups, weight.shape(), x.shape(), weight.size(1) * groups, channels);
  require(filters % groups == 0, operation,
          "given groups={}, weight of size {}, {} filters cannot be shared out evenly", groups, weight.shape(),
          filters);
  if (bias.defined()) {
    require(
        bias.rank() == 1 && bias.size(0) == filters, operation,
        "given weight of size {}, expected bias to be 1-dimensional with {} elements, but got bias of size {} instead",
        weight.shape(), filters, bias.shape());
    require(bias.dtype() == weight.dtype(), operation, "a weight of {} and a bias of {} should have one dtype",
            weight.dtype(), bias.dtype());
    require_same_device(operation, {&x, &weight, &bias});
  } else {
    require_same_device(operation, {&x, &weight});
  }
  for (int dim = 0; dim < 2; ++dim) {
    const int64_t padded = x.size(2 + dim) + 2 * options.padding[dim];
    const int64_t reach = options.dilation[dim] * (weight.size(2 + dim) - 1) + 1;
    require(reach <= padded, operation,
            "the kernel {} (with dilation {}) can't be larger than the padded input: {} > {}",
            Shape{weight.size(2), weight.size(3)}, options.dilation, reach, padded);
  }
  const auto extent = [&](int dim) {
    return out_extent(x.size(2 + dim), weight.size(2 + dim), options.stride[dim], options.padding[dim],
                      options.dilation[dim]);
  };
  return {x.size(0),
          channels,
          x.size(2),
          x.size(3),
          filters,
          extent(0),
          extent(1),
          weight.size(2),
          weight.size(3),
          options.stride[0],
          options.stride[1],
          options.padding[0],
          options.padding[1],
          options.dilation[0],
          options.dilation[1],
          groups};
}

Tensor convolution_operand(const Tensor& x) {
  return x.dtype() == f32 && current_precision() == Precision::bf16 ? x.to(bf16) : x;
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  const Operation operation{"conv2d"};
  return convolve("conv2d", x, weight, bias, false, options);
}

Tensor conv2d_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  const Operation operation{"conv2d_relu"};
  return convolve("conv2d_relu", x, weight, bias, true, options);
}

Conv2dGradients conv2d_gradients(const Tensor& gradient, const Tensor& x, const Tensor& weight,
                                 const Conv2dOptions& options, Conv2dWanted wanted) {
  const Operation operation{"conv2d_gradients"};
  const ConvolutionShape shape = convolution_shape("conv2d_gradients", x, weight, {}, options);
  const Shape expected{shape.batch, shape.out_channels, shape.out_height, shape.out_width};
  require(gradient.shape() == expected && gradient.dtype() == x.dtype(), "conv2d_gradients",
          "expected a gradient {} of {}, got {} of {}", expected, x.dtype(), gradient.shape(), gradient.dtype());
  const Tensor upstream = gradient.channels_last(), images = x.channels_last();
  const Conv2dGradients by = empty_gradients(x, weight, wanted);
  write_gradients(shape, upstream, {}, images, weight, by);
  // The gradient is linear in each of upstream, images and weights: its own gradients are convolutions again.
  const Tensors recorded = record_all(
      "ConvolutionBackwardBackward0", {by.input, by.weight, by.bias}, {upstream, images, weight},
      saved(upstream, images, weight), [options](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor &by_input = gradients[0], &by_weight = gradients[1], &by_bias = gradients[2];
        Tensor for_upstream, for_images, for_weight;
        if (saved.needs(0)) {
          if (by_input.defined()) for_upstream = conv2d(by_input, saved[2], {}, options);
          if (by_weight.defined()) for_upstream = sum_of(for_upstream, conv2d(saved[1], by_weight, {}, options));
          if (by_bias.defined())
            for_upstream =
                sum_of(for_upstream, by_bias.to(saved[0].dtype()).view({-1, 1, 1}).expand(saved[0].shape()).clone());
        }
        if (saved.needs(1) && by_weight.defined())
          for_images = conv2d_gradients(saved[0], saved[1], by_weight, options, {true, false, false}).input;
        if (saved.needs(2) && by_input.defined())
          for_weight = conv2d_gradients(saved[0], by_input, saved[2], options, {false, true, false}).weight;
        return {for_upstream, for_images, for_weight};
      });
  return {recorded[0], recorded[1], recorded[2]};
}

}  // namespace percale
