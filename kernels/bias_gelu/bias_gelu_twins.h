// What the twins of bias_gelu implement, on contiguous memory with one row at least and a width of one at least.
// Tensors [rows, width] have one dtype, `bias` and its gradient [width] the one in which that is computed: f64, or f32.
#pragma once

#include "../../core/tensor.h"

namespace percale {

struct BiasGeluGradient {
  Tensor upstream, input, bias;
  Tensor input_gradient;
  Tensor bias_gradient;  ///< or undefined: not wanted
};

namespace cpu {
void bias_gelu(const Tensor& input, const Tensor& bias, const Tensor& result);
void bias_gelu_gradient(const BiasGeluGradient& operands);
}  // namespace cpu

namespace cuda {
void bias_gelu(const Tensor& input, const Tensor& bias, const Tensor& result);
void bias_gelu_gradient(const BiasGeluGradient& operands);
}  // namespace cuda

}  // namespace percale
