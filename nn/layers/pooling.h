// Pooling layers: the largest or the mean of a window of an image.
#pragma once

#include <optional>

#include "../module.h"
#include "pair.h"

namespace percale::nn {

struct MaxPool2dOptions {
  std::optional<Pair> stride = {};  ///< the kernel's size unless given
  Pair padding = 0, dilation = 1;
  bool ceil_mode = false;
};

/// The largest of each window: [N, C, H, W] to [N, C, H', W'].
class MaxPool2d : public ModuleOf<MaxPool2d> {
 public:
  explicit MaxPool2d(Pair kernel_size, const MaxPool2dOptions& options = {});
  Tensor forward(const Tensor& x) const;
  /// The window, if windows stand side by side without padding: what Conv2d::relu_max_pool2d takes.
  std::optional<Pair> plain_window() const;

 private:
  Pair kernel_size_, stride_;
  MaxPool2dOptions options_;
};

struct AvgPool2dOptions {
  std::optional<Pair> stride = {};  ///< the kernel's size unless given
  Pair padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
};

/// The mean of each window: [N, C, H, W] to [N, C, H', W'].
class AvgPool2d : public ModuleOf<AvgPool2d> {
 public:
  explicit AvgPool2d(Pair kernel_size, const AvgPool2dOptions& options = {});
  Tensor forward(const Tensor& x) const;

 private:
  Pair kernel_size_, stride_;
  AvgPool2dOptions options_;
};

/// Means over windows chosen so that the result is [N, C, output_size], whatever the image's size.
class AdaptiveAvgPool2d : public ModuleOf<AdaptiveAvgPool2d> {
 public:
  explicit AdaptiveAvgPool2d(Pair output_size);
  Tensor forward(const Tensor& x) const;

 private:
  Pair output_size_;
};

}  // namespace percale::nn
