#include "../../core/cuda/dnn.h"
#include "../../core/primitives.h"
#include "../common/data_or_null.h"
#include "../common/device.h"
#include "../common/device_finish.h"
#include "../common/rounded_weight.h"
#include "../elementwise/elementwise_twins.h"
#include "conv2d_device.h"
#include "conv2d_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

// --- f64, which serves gradient checks: a thread an element ----------------------------------------------------------

__global__ void convolution_kernel(ConvolutionShape s, const double* in, const double* weight, const double* bias,
                                   bool relu, double* out) {
  for (index_t index : grid_stride(s.out_numel())) {
    const int64_t o = index % s.out_channels, pixel = index / s.out_channels;
    const int64_t x = pixel % s.out_width, y = pixel / s.out_width % s.out_height,
                  n = pixel / s.out_width / s.out_height;
    const int64_t first = o / s.group_out_channels() * s.group_in_channels();
    double sum = bias ? bias[o] : 0;
    for (int64_t v = 0; v < s.kernel_height; ++v) {
      const int64_t in_y = convolved_position(y, v, s.stride_height, s.padding_height, s.dilation_height, s.in_height);
      for (int64_t u = 0; in_y >= 0 && u < s.kernel_width; ++u) {
        const int64_t in_x = convolved_position(x, u, s.stride_width, s.padding_width, s.dilation_width, s.in_width);
        if (in_x < 0) continue;
        const double* from = in + ((n * s.in_height + in_y) * s.in_width + in_x) * s.in_channels + first;
        const double* by = weight + ((o * s.kernel_height + v) * s.kernel_width + u) * s.group_in_channels();
        for (int64_t i = 0; i < s.group_in_channels(); ++i) sum += from[i] * by[i];
      }
    }
    out[index] = relu && sum <= 0 ? 0 : sum;
  }
}

__global__ void by_input_kernel(ConvolutionShape s, const double* gradient, const double* weight, double* in_gradient) {
  for (index_t index : grid_stride(s.in_numel())) {
    const int64_t i = index % s.in_channels, pixel = index / s.in_channels;
    const int64_t x = pixel % s.in_width, y = pixel / s.in_width % s.in_height, n = pixel / s.in_width / s.in_height;
    const int64_t first = i / s.group_in_channels() * s.group_out_channels(), within = i % s.group_in_channels();
    double sum = 0;
    for (int64_t v = 0; v < s.kernel_height; ++v) {
      const int64_t out_y =
          convolving_position(y, v, s.stride_height, s.padding_height, s.dilation_height, s.out_height);
      for (int64_t u = 0; out_y >= 0 && u < s.kernel_width; ++u) {
        const int64_t out_x = convolving_position(x, u, s.stride_width, s.padding_width, s.dilation_width, s.out_width);
        if (out_x < 0) continue;
        const double* from = gradient + ((n * s.out_height + out_y) * s.out_width + out_x) * s.out_channels + first;
        for (int64_t o = 0; o < s.group_out_channels(); ++o)
          sum += from[o] *
                 weight[(((first + o) * s.kernel_height + v) * s.kernel_width + u) * s.group_in_channels() + within];
      }
    }
    in_gradient[index] = sum;
  }
}

__global__ void by_weight_kernel(ConvolutionShape s, const double* in, const double* gradient,
                                 double* weight_gradient) {
  for (index_t index : grid_stride(s.weight_numel())) {
    const int64_t within = index % s.group_in_channels(), tap = index / s.group_in_channels();
    const int64_t u = tap % s.kernel_width, v = tap / s.kernel_width % s.kernel_height,
                  o = tap / s.kernel_width / s.kernel_height;
    const int64_t i = o / s.group_out_channels() * s.group_in_channels() + within;
    double sum = 0;
    for (int64_t row = 0; row < s.batch * s.out_height; ++row) {
      const int64_t n = row / s.out_height;
      const int64_t in_y =
          convolved_position(row % s.out_height, v, s.stride_height, s.padding_height, s.dilation_height, s.in_height);
      for (int64_t x = 0; in_y >= 0 && x < s.out_width; ++x) {
        const int64_t in_x = convolved_position(x, u, s.stride_width, s.padding_width, s.dilation_width, s.in_width);
        if (in_x < 0) continue;
        sum += gradient[(row * s.out_width + x) * s.out_channels + o] *
               in[((n * s.in_height + in_y) * s.in_width + in_x) * s.in_channels + i];
      }
    }
    weight_gradient[index] = sum;
  }
}

// --- what stands beside cuDNN's kernels ------------------------------------------------------------------------------

/// A gradient that lies in memory, [pixels, channels].
template <class T>
struct LoadGradient {
  const T* gradient;
  int64_t channels;
  template <int vector>
  __device__ Vector<T, vector> operator()(int64_t pixel, int64_t channel) const {
    return load_vector<vector>(gradient + pixel * channels + channel);
  }
};

template <class T>
void bias_gradient(const ConvolutionShape& s, const T* gradient, const Tensor& target) {
  const LoadGradient<T> load{gradient, s.out_channels};
  const int64_t pixels = s.batch * s.out_height * s.out_width;
  const auto run = [&]<int vector>() { sum_pixels<vector, compute_t<T>>(load, pixels, s.out_channels, target); };
  with_vector<T>(s.out_channels, run, gradient);
}

Tensor workspace(const Convolution& convolution, ConvolutionPass pass) {
  return Tensor::empty({static_cast<int64_t>(convolution_workspace(convolution, pass))}, {u8, cuda_device});
}

/// A weight or bias in the images' dtype.
Tensor in_dtype(const Tensor& weight, DType dtype) {
  return dtype == bf16 ? rounded_weight(weight.detach()) : weight.detach().to(dtype);
}

/// As the kernels want weights: in the images' dtype, channels last.
Tensor filters(const Tensor& weight, DType dtype) { return in_dtype(weight, dtype).channels_last(); }

}  // namespace

void convolution(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                 const Tensor& out) {
  const Tensor by = filters(weight, x.dtype());
  Tensor added = bias.defined() ? in_dtype(bias, x.dtype()).contiguous() : Tensor();
  if (x.dtype() == f64) {
    launch(convolution_kernel, blocks_for(out.numel(), threads), threads, 0, current_stream(), shape, x.data<double>(),
           by.data<double>(), data_or_null<double>(added), relu, out.data<double>());
    return;
  }
  if (relu && !added.defined()) {
    added = Tensor::empty({shape.out_channels}, x.options());
    fill(added, 0);
  }
  const Convolution problem{shape, x.dtype(), current_precision()};
  const Tensor room = workspace(problem, ConvolutionPass::forward);
  const Unfinished rest = convolution_forward(problem, x.data(), by.data(), added.defined() ? added.data() : nullptr,
                                              relu, out.data(), room.data(), current_stream());
  finish("conv2d", rest, added, out);
}

void convolution_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& activated,
                           const Tensor& x, const Tensor& weight, const Conv2dGradients& out) {
  if (activated.defined()) return convolution_gradients(shape, relu_gradient(gradient, activated), {}, x, weight, out);
  const Convolution problem{shape, x.dtype(), current_precision()};
  const bool in_double = x.dtype() == f64;
  if (out.bias.defined())
    visit_floating("conv2d", x.dtype(), [&]<class T>() { bias_gradient(shape, gradient.data<T>(), out.bias); });
  if (out.input.defined()) {
    const Tensor by = filters(weight, x.dtype());
    if (in_double) {
      launch(by_input_kernel, blocks_for(x.numel(), threads), threads, 0, current_stream(), shape,
             gradient.data<double>(), by.data<double>(), out.input.data<double>());
    } else {
      const Tensor room = workspace(problem, ConvolutionPass::by_input);
      convolution_by_input(problem, gradient.data(), by.data(), out.input.data(), room.data(), current_stream());
    }
  }
  if (out.weight.defined()) {
    const bool direct = out.weight.dtype() == x.dtype() && out.weight.is_channels_last();
    const Tensor target = direct ? out.weight : Tensor::empty_channels_last(weight.shape(), x.options());
    if (in_double) {
      launch(by_weight_kernel, blocks_for(target.numel(), threads), threads, 0, current_stream(), shape,
             x.data<double>(), gradient.data<double>(), target.data<double>());
    } else {
      const Tensor room = workspace(problem, ConvolutionPass::by_weight);
      convolution_by_weight(problem, x.data(), gradient.data(), target.data(), room.data(), current_stream());
    }
    if (!direct) copy(target, out.weight);
  }
}

}  // namespace percale::cuda
