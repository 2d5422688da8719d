// What linear_int8 computes, and how the weights lie. Shapes and dtypes are checked before.
#pragma once

#include "linear_int8.h"

namespace percale {

/// Columns of a panel of weights, and the neighbours of the depth that lie together.
inline constexpr int64_t int8_panel = 32, int8_group = 4;

/// Packed: for each panel of 32 outputs their scales (f32), the sums of their values (i32), and their values: four of
/// the depth of each output side by side, then the next four. Zeros behind the last output and the last of the depth.
struct Int8Layout {
  int64_t out, in;

  int64_t panels() const { return (out + int8_panel - 1) / int8_panel; }
  int64_t depth() const { return (in + int8_group - 1) / int8_group * int8_group; }
  int64_t panel_bytes() const { return int8_panel * (8 + depth()); }
  int64_t bytes() const { return panels() * panel_bytes(); }
};

namespace cpu {
/// weight: f32 [out, in], any strides.
void quantise_rows(const Tensor& weight, void* packed);
void dequantise(const QuantisedWeight& weight, const Tensor& result);
/// x [rows, in] and result [rows, out]: contiguous.
void linear_int8(const Tensor& x, const QuantisedWeight& weight, const Tensor& bias, Activation activation,
                 const Tensor& result);
}  // namespace cpu

namespace cuda {
/// There is none: fails, and says so.
void linear_int8(const Tensor& x, const QuantisedWeight& weight, const Tensor& bias, Activation activation,
                 const Tensor& result);
}  // namespace cuda

}  // namespace percale
