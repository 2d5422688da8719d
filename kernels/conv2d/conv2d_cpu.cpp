#include "../../core/primitives.h"
#include "../common/convert.h"
#include "../common/data_or_null.h"
#include "../common/reference_convolution.h"
#include "../elementwise/elementwise_twins.h"
#include "conv2d_twins.h"
#include "image_gradients.h"
#include "slices.h"

namespace percale::cpu {
namespace {

Tensor widened(const Tensor& tensor) { return tensor.defined() ? tensor.detach().to(f32) : tensor; }
Tensor filters_last(const Tensor& weight) { return weight.detach().channels_last(); }

/// The sum over all pixels of each channel, image after image.
template <class T>
void bias_gradient(const ConvolutionShape& s, const T* gradient, const Tensor& result) {
  using Sum = compute_t<T>;
  const int64_t image = s.out_height * s.out_width * s.out_channels;
  const Tensor partials = Tensor::empty({s.batch, s.out_channels}, {dtype_of<Sum>, cpu_device});
  parallel_for(s.batch, 1, [&](int64_t n, int64_t) {
    Sum* sums = partials.data<Sum>() + n * s.out_channels;
    std::fill_n(sums, s.out_channels, Sum(0));
    for (const T* pixel = gradient + n * image; pixel < gradient + (n + 1) * image; pixel += s.out_channels)
      for (int64_t o = 0; o < s.out_channels; ++o) sums[o] += static_cast<Sum>(pixel[o]);
  });
  Sum* totals = partials.data<Sum>();
  for (int64_t n = 1; n < s.batch; ++n)
    for (int64_t o = 0; o < s.out_channels; ++o) totals[o] += totals[n * s.out_channels + o];
  copy(partials.select(0, 0), result);
}

void reference_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& x, const Tensor& weight,
                         const Conv2dGradients& out) {
  const double* upstream = gradient.data<double>();
  if (out.input.defined())
    reference_convolution_input_gradient(shape, upstream, filters_last(weight).data<double>(),
                                         out.input.data<double>());
  if (out.weight.defined()) {
    const Tensor filters = Tensor::empty_channels_last(weight.shape(), weight.options());
    reference_convolution_weight_gradient(shape, x.data<double>(), upstream, filters.data<double>());
    copy(filters, out.weight);
  }
}

void dense_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& x, const Tensor& weight,
                     const Conv2dGradients& out) {
  const DenseGradients dense(shape, x, weight, out);
  const int64_t group_size = images_per_group(shape) * shape.out_height * shape.out_width * shape.out_channels *
                             static_cast<int64_t>(size_of(gradient.dtype()));
  parallel_for(dense.groups(), 1, [&](int64_t group, int64_t) {
    dense.run(group, static_cast<const char*>(gradient.data()) + group * group_size);
  });
  dense.finish();
}

}  // namespace

void convolution(const ConvolutionShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                 const Tensor& out) {
  if (x.dtype() == f64) {
    const Tensor sums = bias.defined() ? bias.contiguous() : bias;
    reference_convolution(shape, x.data<double>(), filters_last(weight).data<double>(), data_or_null<double>(sums),
                          relu, out.data<double>());
    return;
  }
  if (!onednn_computes(x.dtype())) {
    const Tensor wide = Tensor::empty_like(out, f32);
    convolution(shape, widened(x), widened(weight), widened(bias), relu, wide);
    copy(wide, out);
    return;
  }
  const ConvolutionForward forward(shape, x, weight, bias, 1);
  const int64_t row_size = shape.out_width * shape.out_channels;
  parallel_for(forward.count(), 1, [&](int64_t i, int64_t) {
    const ConvolutionPiece& piece = forward.piece(i);
    const int64_t first = (piece.image * shape.out_height + piece.row) * row_size;
    forward.run(i, relu, static_cast<char*>(out.data()) + first * static_cast<int64_t>(size_of(out.dtype())));
  });
}

void convolution_gradients(const ConvolutionShape& shape, const Tensor& gradient, const Tensor& activated,
                           const Tensor& x, const Tensor& weight, const Conv2dGradients& out) {
  if (x.dtype() == f32) {
    return image_gradients(shape, {.gradient = gradient.data<float>(), .activated = data_or_null<float>(activated)}, x,
                           weight, out);
  }
  if (activated.defined())
    return convolution_gradients(shape, percale::relu_gradient(gradient, activated), {}, x, weight, out);
  if (x.dtype() != f64 && !onednn_computes(x.dtype())) {
    through_f32(out, [&](const Conv2dGradients& wide) {
      convolution_gradients(shape, widened(gradient), {}, widened(x), widened(weight), wide);
    });
    return;
  }
  if (out.bias.defined())
    visit_floating("conv2d", gradient.dtype(), [&]<class T>() { bias_gradient(shape, gradient.data<T>(), out.bias); });
  if (x.dtype() == f64) return reference_gradients(shape, gradient, x, weight, out);
  if (out.input.defined() || out.weight.defined()) dense_gradients(shape, gradient, x, weight, out);
}

}  // namespace percale::cpu
