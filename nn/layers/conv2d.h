// The convolution layer.
#pragma once

#include "../module.h"
#include "pair.h"

namespace percale::nn {

struct Conv2dOptions {
  Pair stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

/// Images [N, in_channels, H, W] to [N, out_channels, H', W'], H' = (H + 2 padding - dilation (kernel - 1) - 1) /
/// stride + 1.
///
/// Weight [out, in / groups, kernel, kernel] lies channels-last in memory; a state dict has it contiguous. Starts as
/// PyTorch's: weight and bias uniform in +-1 / sqrt(in / groups * kernel * kernel).
///
///     nn::Conv2d(1, 32, 3, {.padding = 1})
class Conv2d : public ModuleOf<Conv2d> {
 public:
  Conv2d(int64_t in_channels, int64_t out_channels, Pair kernel_size, const Conv2dOptions& options = {});
  Tensor forward(const Tensor& x) const;
  /// relu(conv2d(x)), in one operation unless a hook wants to see the layer's own output; the same bytes either way.
  Tensor relu(const Tensor& x) const;
  /// max_pool2d(relu(conv2d(x)), window), likewise; the windows stand side by side and have at most 256 pixels.
  Tensor relu_max_pool2d(const Tensor& x, Pair window) const;

  Parameter weight, bias;

 private:
  Conv2dOptions options_;
};

}  // namespace percale::nn
