// Fully connected layers in 8-bit integers: weights rounded once, activations row by row as they come. For inference on
// the CPU.
#pragma once

#include <memory>

#include "../../core/tensor.h"
#include "../common/activation.h"

namespace percale {

/// A weight [out, in] as 8-bit integers, each output's with a scale of its own: weight[o, i] = scale[o] * value, with
/// value in -127 to 127 and scale[o] = max |weight[o]| / 127.
struct QuantisedWeight {
  int64_t out = 0, in = 0;
  std::shared_ptr<Storage> packed;  ///< scales, sums and values in the order in which products read them
};

/// Inputs that a layer may have, so that no sum overflows.
inline constexpr int64_t most_int8_inputs = 65536;

/// `weight` [out, in] of f32 on the CPU, rounded; made once a version of its memory and kept until the weight is
/// written or gone. A NaN or an infinity makes all of its output NaN.
QuantisedWeight quantise_rows(const Tensor& weight);
/// The weight that products see: f32 [out, in].
Tensor dequantised(const QuantisedWeight& weight);

/// x W^T + b for `x` [..., in] of f32, `bias` f32 [out] (undefined: none), and a ReLU of it where `activation` says so;
/// the result is f32 [..., out]. Has no gradient.
///
/// Each row of x is rounded to 0 to 255, from its least to its largest element (zero included): x = scale * (value -
/// zero). The sums of products are exact, so that a row's bytes do not depend on the rows beside it, on threads, nor on
/// the instruction set (AVX512-VNNI or any). A row with a NaN or an infinity gives NaN. Errors: shapes that do not fit,
/// other dtypes; a GELU; a device other than the CPU.
Tensor linear_int8(const Tensor& x, const QuantisedWeight& weight, const Tensor& bias = {},
                   Activation activation = Activation::none);

}  // namespace percale
