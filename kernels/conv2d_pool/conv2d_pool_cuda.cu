#include "../conv2d/conv2d_device.h"
#include "conv2d_pool_twins.h"

namespace percale::cuda {
namespace {

/// The gradient of the convolution's result from that of the pool's: written where it is asked for, pixel by pixel.
template <class T>
struct LoadThroughPool {
  PoolGeometry pool;
  const T *gradient, *out;
  const uint8_t* positions;
  T* upstream;

  template <int vector>
  __device__ Vector<T, vector> operator()(int64_t pixel, int64_t channel) const {
    const int64_t x = pixel % pool.columns.in, line = pixel / pool.columns.in, y = line % pool.rows.in,
                  image = line / pool.rows.in;
    const int64_t row = y / pool.rows.kernel, column = x / pool.columns.kernel;
    Vector<T, vector> result;
    for (int k = 0; k < vector; ++k) result[k] = T(0);
    if (row < pool.rows.out && column < pool.columns.out) {
      const int64_t at = pool.output_at(image, row, column) + channel;
      const auto tap = static_cast<uint8_t>((y % pool.rows.kernel) * pool.columns.kernel + x % pool.columns.kernel);
      const Vector<T, vector> from = load_vector<vector>(gradient + at), values = load_vector<vector>(out + at);
      const Vector<uint8_t, vector> taken = load_vector<vector>(positions + at);
      for (int k = 0; k < vector; ++k)
        if (taken[k] == tap && !(static_cast<compute_t<T>>(values[k]) <= 0)) result[k] = from[k];
    }
    store_vector(upstream + pixel * pool.channels + channel, result);
    return result;
  }
};

}  // namespace

void convolution_pool(const ConvolutionShape& shape, const PoolGeometry& pool, const Tensor& x, const Tensor& weight,
                      const Tensor& bias, const Tensor& out, const Tensor& positions) {
  const Tensor whole = Tensor::empty_channels_last(pool.input_shape(), out.options());
  convolution(shape, x, weight, bias, true, whole);
  max_pool(pool, whole, out, positions);
}

/// One pass through pool and ReLU that also sums up the bias's gradient; then cuDNN.
void convolution_pool_gradients(const ConvolutionShape& shape, const PoolGeometry& pool, const Tensor& gradient,
                                const Tensor& out, const Tensor& positions, const Tensor& x, const Tensor& weight,
                                const Conv2dGradients& result) {
  const Tensor upstream = Tensor::empty_channels_last(pool.input_shape(), out.options());
  const Tensor bias = result.bias.defined() ? result.bias : Tensor::empty({pool.channels}, weight.options());
  visit_floating("conv2d_relu_max_pool2d", out.dtype(), [&]<class T>() {
    const LoadThroughPool<T> load{pool, gradient.data<T>(), out.data<T>(), positions.data<uint8_t>(),
                                  upstream.data<T>()};
    const int64_t pixels = pool.images * pool.rows.in * pool.columns.in;
    const bool wide_enough = widest_vector<T>(pool.channels, load.gradient, load.out, load.upstream) == wide<T> &&
                             is_aligned<wide<T>>(load.positions);
    if (wide_enough)
      sum_pixels<wide<T>, compute_t<T>>(load, pixels, pool.channels, bias);
    else
      sum_pixels<1, compute_t<T>>(load, pixels, pool.channels, bias);
  });
  convolution_gradients(shape, upstream, {}, x, weight, {result.input, result.weight, {}});
}

}  // namespace percale::cuda
