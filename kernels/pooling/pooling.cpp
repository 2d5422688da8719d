#include "pooling.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "pooling_twins.h"

namespace percale {
namespace {

/// Both extents of an option that may be given as one.
Shape pair_of(const char* operation, const char* what, const Shape& given) {
  require(given.rank() == 1 || given.rank() == 2, operation, "{} must be one number or two, got {}", what, given);
  return {given[0], given.back()};
}

void check_images(const char* operation, const Tensor& x) {
  require(x.rank() == 4, operation, "expected images [N, C, H, W], got {}", x.shape());
  require(is_floating(x.dtype()), operation, "expected floating-point images, got {}", x.dtype());
  require(x.size(2) > 0 && x.size(3) > 0, operation, "images {} have no pixels", x.shape());
}

PoolAxis axis_of(const char* operation, const Shape& shape, int axis, const Pool2dOptions& options) {
  const Shape kernels = pair_of(operation, "kernel", options.kernel);
  const int64_t in = shape[2 + axis], kernel = kernels[axis];
  const int64_t stride = options.stride.empty() ? kernel : pair_of(operation, "stride", options.stride)[axis];
  const int64_t padding = pair_of(operation, "padding", options.padding)[axis];
  const int64_t dilation = pair_of(operation, "dilation", options.dilation)[axis];
  require(kernel > 0 && stride > 0 && dilation > 0, operation,
          "kernel, stride and dilation must be positive, got {}, {}, {}", kernel, stride, dilation);
  require(padding >= 0 && padding <= (dilation * (kernel - 1) + 1) / 2, operation,
          "padding {} is negative or more than half of the kernel {}", padding, kernel);
  const int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1;
  require(room >= 0, operation, "a window of {} does not fit images {} with padding {}", kernels, shape,
          options.padding);
  int64_t out = (options.ceil_mode ? divide_up(room, stride) : room / stride) + 1;
  if (options.ceil_mode && (out - 1) * stride >= in + padding) --out;  // a window may not begin behind the image
  return {in, out, kernel, stride, padding, dilation, false, options.count_include_pad};
}

PoolGeometry geometry_of(const char* operation, const Tensor& x, const Pool2dOptions& options) {
  check_images(operation, x);
  require(options.divisor_override >= 0, operation, "the divisor must be positive, got {}", options.divisor_override);
  return {x.size(0), x.size(1), axis_of(operation, x.shape(), 0, options), axis_of(operation, x.shape(), 1, options),
          options.divisor_override};
}

Tensor max_pool_gather(const PoolGeometry& geometry, const Tensor& in, const Tensor& positions);

}  // namespace

Tensor max_pool_gradient(const PoolGeometry& geometry, const Tensor& upstream, const Tensor& positions) {
  const Tensor gradient = upstream.channels_last();
  Tensor result = Tensor::empty_channels_last(geometry.input_shape(), gradient.options());
  if (result.numel()) {
    on<cpu::max_pool_gradient, cuda::max_pool_gradient>(result.device(), geometry, gradient, positions, result);
  }
  return record("MaxPool2DWithIndicesBackwardBackward0", result, {gradient}, saved(positions),
                [geometry](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {max_pool_gather(geometry, gradients[0], saved[0])};
                });
}

namespace {

Tensor max_pool_gather(const PoolGeometry& geometry, const Tensor& in, const Tensor& positions) {
  const Tensor images = in.channels_last();
  Tensor result = Tensor::empty_channels_last(geometry.output_shape(), images.options());
  if (result.numel()) {
    on<cpu::max_pool_gather, cuda::max_pool_gather>(result.device(), geometry, images, positions, result);
  }
  return record("MaxPool2DGatherBackward0", result, {images}, saved(positions),
                [geometry](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {max_pool_gradient(geometry, gradients[0], saved[0])};
                });
}

Tensor mean_pool(const char* name, const PoolGeometry& geometry, const Tensor& x);

Tensor mean_pool_gradient(const char* name, const PoolGeometry& geometry, const Tensor& upstream) {
  const Tensor gradient = upstream.channels_last();
  Tensor result = Tensor::empty_channels_last(geometry.input_shape(), gradient.options());
  if (result.numel())
    on<cpu::mean_pool_gradient, cuda::mean_pool_gradient>(result.device(), geometry, gradient, result);
  return record("AvgPool2DBackwardBackward0", result, {gradient}, {},
                [name, geometry](const Tensors& gradients, const Saved&) -> Tensors {
                  return {mean_pool(name, geometry, gradients[0])};
                });
}

Tensor mean_pool(const char* name, const PoolGeometry& geometry, const Tensor& x) {
  const Tensor images = x.channels_last();
  Tensor result = Tensor::empty_channels_last(geometry.output_shape(), images.options());
  if (result.numel()) on<cpu::mean_pool, cuda::mean_pool>(result.device(), geometry, images, result);
  return record(name, result, {images}, {}, [name, geometry](const Tensors& gradients, const Saved&) -> Tensors {
    return {mean_pool_gradient(name, geometry, gradients[0])};
  });
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const Operation operation{"max_pool2d"};
  const PoolGeometry geometry = geometry_of("max_pool2d", x, options);
  const Tensor images = x.channels_last();
  Tensor result = Tensor::empty_channels_last(geometry.output_shape(), images.options()), positions;
  if (should_record({images}))
    positions =
        Tensor::empty_channels_last(geometry.output_shape(), {geometry.taps() <= 256 ? u8 : i32, images.device()});
  if (result.numel()) on<cpu::max_pool, cuda::max_pool>(images.device(), geometry, images, result, positions);
  return record("MaxPool2DWithIndicesBackward0", result, {images}, saved(positions),
                [geometry](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {max_pool_gradient(geometry, gradients[0], saved[0])};
                });
}

Tensor max_pool2d(const Tensor& x, int64_t kernel) { return max_pool2d(x, Pool2dOptions{.kernel = {kernel, kernel}}); }

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const Operation operation{"avg_pool2d"};
  const PoolGeometry geometry = geometry_of("avg_pool2d", x, options);
  require(geometry.rows.dilation == 1 && geometry.columns.dilation == 1, "avg_pool2d", "has no dilation, got {}",
          options.dilation);
  return mean_pool("AvgPool2DBackward0", geometry, x);
}

Tensor avg_pool2d(const Tensor& x, int64_t kernel) { return avg_pool2d(x, Pool2dOptions{.kernel = {kernel, kernel}}); }

Tensor adaptive_avg_pool2d(const Tensor& x, const Shape& size) {
  const Operation operation{"adaptive_avg_pool2d"};
  check_images("adaptive_avg_pool2d", x);
  const Shape out = pair_of("adaptive_avg_pool2d", "size", size);
  require(out[0] >= 0 && out[1] >= 0, "adaptive_avg_pool2d", "sizes cannot be negative, got {}", out);
  auto axis = [&](int64_t i) { return PoolAxis{x.size(2 + i), out[static_cast<int>(i)], 1, 1, 0, 1, true, false}; };
  const char* name = out == Shape{1, 1} ? "MeanBackward1" : "AdaptiveAvgPool2DBackward0";  // as PyTorch names them
  return mean_pool(name, {x.size(0), x.size(1), axis(0), axis(1), 0}, x);
}

Tensor adaptive_avg_pool2d(const Tensor& x, int64_t size) { return adaptive_avg_pool2d(x, Shape{size, size}); }

}  // namespace percale
