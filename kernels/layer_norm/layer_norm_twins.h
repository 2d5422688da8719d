// What the twins of layer_norm implement, on contiguous memory with one row at least and a width of one at least.
// Either every tensor is f64, or each is f32, f16 or bf16 and `statistics`, `weight` and `bias` are f32.
#pragma once

#include "../../core/tensor.h"

namespace percale {

struct LayerNorm {
  Tensor input, residual;  ///< [rows, width]; no residual: undefined. Of two dtypes, the residual's is f32
  Tensor weight, bias;     ///< [width], or undefined
  Tensor result;           ///< [rows, width]: f32, or the dtype of both inputs
  Tensor statistics;       ///< [rows, 3]: a RowStatistics each, for the gradient; or undefined
  double eps;
};

struct LayerNormGradient {
  Tensor upstream;                 ///< [rows, width], of the result's dtype
  Tensor input, residual, weight;  ///< as in the forward pass
  Tensor statistics;
  Tensor input_gradient;                  ///< of the input's dtype, or undefined: not wanted
  Tensor residual_gradient;               ///< undefined where it is the input's or is not wanted
  Tensor weight_gradient, bias_gradient;  ///< of the statistics' dtype, or undefined
};

/// Which gradients somebody wants.
struct LayerNormWanted {
  bool input, residual, weight, bias;
};

/// {of the input, of the residual where its dtype is another, of the weight, of the bias (both of dtype `parameters`)};
/// differentiable. `statistics` are those of input + residual. For families with a layer norm behind them.
Tensors layer_norm_gradient(const Tensor& upstream, const Tensor& input, const Tensor& residual, const Tensor& weight,
                            const Tensor& statistics, LayerNormWanted wanted, DType parameters, double eps);

/// The gradient of that gradient, from operations: {for upstream, x, weight} from what arrives for the gradients of x
/// (v), weight and bias, each perhaps undefined. With y = x normalised along `dim`, h = upstream * weight and P(a) = a
/// - mean(a) - y * mean(a * y), the gradient of x is scale * P(h), and that of y and of scale follow from it.
Tensors normalisation_second_gradient(const Tensor& v, const Tensor& of_weight, const Tensor& of_bias,
                                      const Tensor& upstream, const Tensor& x, const Tensor& weight, double eps,
                                      int64_t dim);

namespace cpu {
void layer_norm(const LayerNorm& operands);
void layer_norm_gradient(const LayerNormGradient& operands);
}  // namespace cpu

namespace cuda {
void layer_norm(const LayerNorm& operands);
void layer_norm_gradient(const LayerNormGradient& operands);
}  // namespace cuda

}  // namespace percale
