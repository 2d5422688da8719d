#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../conv2d/image_gradients.h"
#include "../conv2d/slices.h"
#include "../elementwise/elementwise_twins.h"
#include "conv2d_pool_twins.h"

namespace percale::cpu {
namespace {

bool is_two_by_two(const PoolGeometry& pool) { return pool.rows.kernel == 2 && pool.columns.kernel == 2; }

/// Rows `row` to `row + rows` of some images of a channels-last tensor of shape [batch, channels, height, width].
Tensor rows_of(const Tensor& tensor, int64_t image, int64_t images, int64_t row, int64_t rows) {
  const Shape& shape = tensor.shape();
  const int64_t offset = tensor.offset() + (image * shape[2] + row) * shape[3] * shape[1];
  const Shape part{images, shape[1], rows, shape[3]};
  return Tensor::from_storage(tensor.storage(), part, channels_last_strides(part), offset, tensor.dtype());
}

/// One piece of the convolution, pooled while it is in cache; ReLU comes last, since it changes no order.
void pool_piece(const ConvolutionForward& forward, int64_t i, const PoolGeometry& pool, const Tensor& out,
                const Tensor& positions) {
  const ConvolutionPiece& piece = forward.piece(i);
  const int64_t first = piece.row / pool.rows.kernel, rows = piece.rows / pool.rows.kernel;
  if (rows == 0) return;
  const Tensor target = rows_of(out, piece.image, piece.images, first, rows);
  const Tensor where = positions.defined() ? rows_of(positions, piece.image, piece.images, first, rows) : positions;
  if (forward.pools() && is_two_by_two(pool)) {
    const Tensor kept = where.defined() ? where : Tensor::empty({target.numel()}, {u8, cpu_device});
    forward.run_pooled(i, target.data<float>(), kept.data<uint8_t>());
    return;
  }
  const Tensor scratch =
      Tensor::empty_channels_last({piece.images, pool.channels, piece.rows, pool.columns.in}, out.options());
  forward.run(i, false, scratch.data());
  PoolGeometry part = pool;
  part.images = piece.images;
  part.rows.in = piece.rows;
  part.rows.out = rows;
  max_pool(part, scratch, target, where);
  rectify(target.dtype(), target.data(), target.numel());
}

}  // namespace

void convolution_pool(const ConvolutionShape& shape, const PoolGeometry& pool, const Tensor& x, const Tensor& weight,
                      const Tensor& bias, const Tensor& out, const Tensor& positions) {
  if (!onednn_computes(x.dtype())) {
    const Tensor whole = Tensor::empty_channels_last(pool.input_shape(), out.options());
    convolution(shape, x, weight, bias, true, whole);
    return max_pool(pool, whole, out, positions);
  }
  const ConvolutionForward forward(shape, x, weight, bias, pool.rows.kernel);
  parallel_for(forward.count(), 1, [&](int64_t i, int64_t) { pool_piece(forward, i, pool, out, positions); });
}

void convolution_pool_gradients(const ConvolutionShape& shape, const PoolGeometry& pool, const Tensor& gradient,
                                const Tensor& out, const Tensor& positions, const Tensor& x, const Tensor& weight,
                                const Conv2dGradients& result) {
  if (x.dtype() == f32 && is_two_by_two(pool) && takes_pooled_gradients(shape)) {
    const OutputGradient pooled{gradient.data<float>(), out.data<float>(), positions.data<uint8_t>()};
    return image_gradients(shape, pooled, x, weight, result);
  }
  // The pool passes on one gradient in four: f32's way of leaving out the others beats dense products of bf16 (step of
  // the CNN at batch 64 on two Zen 5 cores: 0.69 ms a convolution against 1.29), and rounds less.
  if (x.dtype() == bf16 && is_two_by_two(pool) && takes_pooled_gradients(shape)) {
    const NoGradGuard no_grad;
    return through_f32(result, [&](const Conv2dGradients& wide) {
      convolution_pool_gradients(shape, pool, gradient.to(f32), out.to(f32), positions, x.to(f32), weight.to(f32),
                                 wide);
    });
  }
  const Tensor through = percale::relu_gradient(gradient, out);
  const Tensor upstream = Tensor::empty_channels_last(pool.input_shape(), out.options());
  max_pool_gradient(pool, through, positions, upstream);
  convolution_gradients(shape, upstream, {}, x, weight, result);
}

}  // namespace percale::cpu
