#include "conv2d_pool.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/precision.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "../elementwise/elementwise_twins.h"
#include "conv2d_pool_twins.h"

namespace percale {
namespace {

constexpr const char* name = "conv2d_relu_max_pool2d";

PoolGeometry pool_geometry(const ConvolutionShape& shape, const Shape& pool) {
  require(pool.rank() == 1 || pool.rank() == 2, name, "the pool must be one number or two, got {}", pool);
  const int64_t rows = pool[0], columns = pool.back();
  require(rows > 0 && columns > 0 && rows * columns <= 256, name, "the pool must have 1 to 256 pixels, got {}", pool);
  require(rows <= shape.out_height && columns <= shape.out_width, name, "a window of {} does not fit images [{}, {}]",
          pool, shape.out_height, shape.out_width);
  return {shape.batch,
          shape.out_channels,
          {shape.out_height, shape.out_height / rows, rows, rows, 0, 1, false, true},
          {shape.out_width, shape.out_width / columns, columns, columns, 0, 1, false, true},
          0};
}

/// The fused gradient, unless it is itself to be differentiated: then step by step, the same bytes.
Conv2dGradients gradients_of(const PoolGeometry& pool, const Tensor& gradient, const Tensor& out,
                             const Tensor& positions, const Tensor& x, const Tensor& weight,
                             const Conv2dOptions& options, Conv2dWanted wanted) {
  if (should_record({gradient, x, weight})) {
    const Tensor upstream = max_pool_gradient(pool, relu_gradient(gradient, out), positions);
    return conv2d_gradients(upstream, x, weight, options, wanted);
  }
  Conv2dGradients by;
  if (wanted.input) by.input = Tensor::empty_like(x);
  if (wanted.weight) by.weight = Tensor::empty_like(weight);
  if (wanted.bias) by.bias = Tensor::empty({weight.size(0)}, weight.options());
  if (out.numel()) {
    on<cpu::convolution_pool_gradients, cuda::convolution_pool_gradients>(
        x.device(), convolution_shape(name, x, weight, {}, options), pool, gradient.channels_last(), out, positions, x,
        weight, by);
  } else {
    for (const Tensor* result : {&by.input, &by.weight, &by.bias})
      if (result->defined()) fill(*result, 0);
  }
  return by;
}

}  // namespace

Tensor conv2d_relu_max_pool2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options,
                              const Shape& pool) {
  const Operation operation{name};
  require(x.rank() == 3 || x.rank() == 4, name, "expected images [N, C, H, W] or [C, H, W], got {}", x.shape());
  if (x.rank() == 3) return conv2d_relu_max_pool2d(x.unsqueeze(0), weight, bias, options, pool).squeeze(0);
  const Tensor operand = convolution_operand(x);
  const ConvolutionShape shape = convolution_shape(name, operand, weight, bias, options);
  const PoolGeometry geometry = pool_geometry(shape, pool);
  const Tensor images = operand.channels_last();
  Tensor out = Tensor::empty_channels_last(geometry.output_shape(), images.options()), positions;
  if (should_record({images, weight, bias}))
    positions = Tensor::empty_channels_last(geometry.output_shape(), {u8, images.device()});
  if (out.numel())
    on<cpu::convolution_pool, cuda::convolution_pool>(images.device(), shape, geometry, images, weight, bias, out,
                                                      positions);
  return record(
      "MaxPool2DWithIndicesBackward0", out, {images, weight, bias}, saved(images, weight, out, positions),
      [options, geometry, precision = current_precision()](const Tensors& gradients, const Saved& saved) -> Tensors {
        const PrecisionScope scope(precision);
        const Conv2dWanted wanted{saved.needs(0), saved.needs(1), saved.needs(2)};
        const auto by =
            gradients_of(geometry, gradients[0], saved[2].detach(), saved[3], saved[0], saved[1], options, wanted);
        return {by.input, by.weight, by.bias};
      });
}

Tensor conv2d_relu_max_pool2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options,
                              int64_t pool) {
  return conv2d_relu_max_pool2d(x, weight, bias, options, Shape{pool, pool});
}

}  // namespace percale
