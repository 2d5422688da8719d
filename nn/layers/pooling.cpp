#include "pooling.h"

#include "../../kernels/pooling/pooling.h"

namespace percale::nn {

MaxPool2d::MaxPool2d(Pair kernel_size, const MaxPool2dOptions& options)
    : kernel_size_(kernel_size), stride_(options.stride.value_or(kernel_size)), options_(options) {
  describe("kernel_size=" + to_text(kernel_size_) + ", stride=" + to_text(stride_) +
           ", padding=" + to_text(options.padding) + ", dilation=" + to_text(options.dilation) +
           ", ceil_mode=" + (options.ceil_mode ? "True" : "False"));
}

Tensor MaxPool2d::forward(const Tensor& x) const {
  return max_pool2d(x, {.kernel = kernel_size_.shape(),
                        .stride = stride_.shape(),
                        .padding = options_.padding.shape(),
                        .dilation = options_.dilation.shape(),
                        .ceil_mode = options_.ceil_mode});
}

std::optional<Pair> MaxPool2d::plain_window() const {
  const bool plain = stride_ == kernel_size_ && options_.padding == Pair(0) && options_.dilation == Pair(1) &&
                     !options_.ceil_mode && kernel_size_.height * kernel_size_.width <= 256;
  return plain ? std::optional(kernel_size_) : std::nullopt;
}

AvgPool2d::AvgPool2d(Pair kernel_size, const AvgPool2dOptions& options)
    : kernel_size_(kernel_size), stride_(options.stride.value_or(kernel_size)), options_(options) {
  describe("kernel_size=" + to_text(kernel_size_) + ", stride=" + to_text(stride_) +
           ", padding=" + to_text(options.padding));
}

Tensor AvgPool2d::forward(const Tensor& x) const {
  return avg_pool2d(x, {.kernel = kernel_size_.shape(),
                        .stride = stride_.shape(),
                        .padding = options_.padding.shape(),
                        .ceil_mode = options_.ceil_mode,
                        .count_include_pad = options_.count_include_pad});
}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(Pair output_size) : output_size_(output_size) {
  describe("output_size=" + to_text(output_size));
}

Tensor AdaptiveAvgPool2d::forward(const Tensor& x) const { return adaptive_avg_pool2d(x, output_size_.shape()); }

}  // namespace percale::nn
