#include "conv2d.h"

#include "../../kernels/conv2d/conv2d.h"
#include "../../kernels/conv2d_pool/conv2d_pool.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/pooling/pooling.h"
#include "../init.h"

namespace percale::nn {
namespace {

percale::Conv2dOptions for_operation(const Conv2dOptions& options) {
  return {.stride = options.stride.shape(),
          .padding = options.padding.shape(),
          .dilation = options.dilation.shape(),
          .groups = options.groups};
}

/// As PyTorch's: what is at its default is left out.
std::string description(int64_t in, int64_t out, const Pair& kernel, const Conv2dOptions& options) {
  std::string text = std::to_string(in) + ", " + std::to_string(out) + ", kernel_size=" + tuple_text(kernel) +
                     ", stride=" + tuple_text(options.stride);
  if (options.padding != Pair(0)) text += ", padding=" + tuple_text(options.padding);
  if (options.dilation != Pair(1)) text += ", dilation=" + tuple_text(options.dilation);
  if (options.groups != 1) text += ", groups=" + std::to_string(options.groups);
  if (!options.bias) text += ", bias=False";
  return text;
}

}  // namespace

Conv2d::Conv2d(int64_t in_channels, int64_t out_channels, Pair kernel_size, const Conv2dOptions& options)
    : options_(options) {
  const int64_t groups = options.groups;
  require(groups > 0 && in_channels % groups == 0 && out_channels % groups == 0, "Conv2d",
          "{} and {} channels cannot be split into {} groups", in_channels, out_channels, groups);
  weight =
      add("weight",
          Tensor::empty_channels_last({out_channels, in_channels / groups, kernel_size.height, kernel_size.width}));
  init::default_weight_(weight);
  if (options.bias) {
    bias = add("bias", Tensor::empty({out_channels}));
    init::default_bias_(bias, weight);
  }
  describe(description(in_channels, out_channels, kernel_size, options));
}

Tensor Conv2d::forward(const Tensor& x) const { return conv2d(x, weight, bias, for_operation(options_)); }

Tensor Conv2d::relu(const Tensor& x) const {
  if (has_hooks()) return percale::relu((*this)(x));
  return conv2d_relu(x, weight, bias, for_operation(options_));
}

Tensor Conv2d::relu_max_pool2d(const Tensor& x, Pair window) const {
  if (has_hooks()) return max_pool2d(relu(x), {.kernel = window.shape()});
  return conv2d_relu_max_pool2d(x, weight, bias, for_operation(options_), window.shape());
}

}  // namespace percale::nn
