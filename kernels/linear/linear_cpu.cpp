#include "linear_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/linear/linear_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Rows of `width` neighbouring columns, `step` apart; `masked` and `sums` may be null, `result` too (no mask).
template <class T>
void mask_and_sum(const T* gradient, const T* result, T* masked, T* sums, size_t rows, size_t width, size_t step) {
  const hn::ScalableTag<T> d;
  const auto zero = hn::Zero(d);
  constexpr size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
  size_t c = 0;
  for (; c + lanes <= width; c += lanes) {
    auto sum = zero;
    for (size_t at = c; at < rows * step; at += step) {
      auto value = hn::LoadU(d, gradient + at);
      if (result) value = hn::IfThenZeroElse(hn::Le(hn::LoadU(d, result + at), zero), value);
      if (masked) hn::StoreU(value, d, masked + at);
      sum = hn::Add(sum, value);
    }
    if (sums) hn::StoreU(sum, d, sums + c);
  }
  for (; c < width; ++c) {
    T sum = 0;
    for (size_t at = c; at < rows * step; at += step) {
      const T value = result && result[at] <= T(0) ? T(0) : gradient[at];
      if (masked) masked[at] = value;
      sum += value;
    }
    if (sums) sums[c] = sum;
  }
}

}  // namespace

void mask_and_sum_f32(const float* gradient, const float* result, float* masked, float* sums, size_t rows, size_t width,
                      size_t step) {
  mask_and_sum(gradient, result, masked, sums, rows, width, step);
}
void mask_and_sum_f64(const double* gradient, const double* result, double* masked, double* sums, size_t rows,
                      size_t width, size_t step) {
  mask_and_sum(gradient, result, masked, sums, rows, width, step);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>

#include "../../core/cpu/onednn.h"
#include "../../core/cpu/threads.h"
#include "../../core/primitives.h"
#include "../common/data_or_null.h"
#include "../common/product.h"

namespace percale::cpu {

HWY_EXPORT(mask_and_sum_f32);
HWY_EXPORT(mask_and_sum_f64);

namespace {

/// Packing costs about as much as a product of 8 rows; fewer rows read the weights as they are.
constexpr int64_t rows_worth_packing = 8;
constexpr int64_t rows_of_slice = 1024;
constexpr int64_t columns_of_piece = 64;

Tensor widened(const Tensor& tensor) {
  if (!tensor.defined() || tensor.dtype() == f32 || tensor.dtype() == f64) return tensor;
  const Tensor wide = Tensor::empty(tensor.shape(), {f32, cpu_device});
  copy(tensor, wide);
  return wide;
}

template <class T, class Pass>
void run_gradient(const LinearGradient& operands, Pass pass) {
  const int64_t rows = operands.gradient.size(0), columns = operands.gradient.size(1);
  const int64_t slices = (rows + rows_of_slice - 1) / rows_of_slice,
                across = (columns + columns_of_piece - 1) / columns_of_piece;
  const T* gradient = data_or_null<T>(operands.gradient);
  const T* result = data_or_null<T>(operands.result);
  T *masked = data_or_null<T>(operands.masked), *sums = data_or_null<T>(operands.sums);
  // Tall gradients: a row of sums a slice, added up in order.
  const Tensor partial = sums && slices > 1 ? Tensor::empty({slices, columns}, operands.sums.options()) : Tensor();
  T* targets = partial.defined() ? partial.data<T>() : sums;
  const int64_t work = std::min(rows, rows_of_slice) * columns_of_piece;
  parallel_for(slices * across, std::max<int64_t>(16384 / work, 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / across * rows_of_slice, column = i % across * columns_of_piece,
                    at = row * columns + column;
      pass(gradient + at, result ? result + at : nullptr, masked ? masked + at : nullptr,
           sums ? targets + i / across * columns + column : nullptr,
           static_cast<size_t>(std::min(rows - row, rows_of_slice)),
           static_cast<size_t>(std::min(columns - column, columns_of_piece)), static_cast<size_t>(columns));
    }
  });
  if (!partial.defined()) return;
  for (int64_t c = 0; c < columns; ++c) sums[c] = targets[c];
  for (int64_t slice = 1; slice < slices; ++slice)
    for (int64_t c = 0; c < columns; ++c) sums[c] += targets[slice * columns + c];
}

}  // namespace

void linear(const LinearOperands& operands) {
  const bool in_bf16 = operands.x.dtype() == bf16 && operands.x.size(1) > 0 && multiplies_bf16();
  const Tensor x = in_bf16 ? readable_bf16(operands.x) : widened(operands.x);
  const Tensor weight = in_bf16 ? readable_bf16(operands.weight) : widened(operands.weight);
  const Tensor bias = in_bf16 ? operands.bias : widened(operands.bias);
  const bool as_is = x.dtype() == operands.x.dtype();
  const Tensor result = as_is ? operands.result : Tensor::empty(operands.result.shape(), {f32, cpu_device});
  Product product{.dtype = x.dtype(), .rows = x.size(0), .columns = weight.size(0), .depth = x.size(1)};
  product.left = x.data();
  product.left_row_step = x.stride(0);
  product.left_depth_step = x.stride(1);
  product.right = weight.data();
  product.right_depth_step = weight.stride(1);
  product.right_column_step = weight.stride(0);
  product.out = result.data();
  product.out_row_step = product.columns;
  const Tensor dense_bias = bias.defined() ? bias.contiguous() : bias;
  product.bias = dense_bias.defined() ? dense_bias.data() : nullptr;
  product.activation = operands.activation;
  std::shared_ptr<Storage> packed;
  const size_t bytes = packed_bytes(product.dtype, product.depth, product.columns);
  if (as_is && bytes && !operands.weight_is_trained && product.rows >= (in_bf16 ? 1 : rows_worth_packing)) {
    const PrimitiveKey key =
        PrimitiveKey("linear").add(panel_width(product.dtype)).add(weight.shape()).add(weight.strides());
    packed = packed_weights(weight, key, bytes, [&](void* target) { pack_right(product, target); });
    product.packed_right = packed->data();
  }
  multiply(product);
  if (!as_is) copy(result, operands.result);
}

void linear_gradient(const LinearGradient& operands) {
  if (operands.gradient.dtype() == f32) return run_gradient<float>(operands, HWY_DYNAMIC_DISPATCH(mask_and_sum_f32));
  if (operands.gradient.dtype() == f64) return run_gradient<double>(operands, HWY_DYNAMIC_DISPATCH(mask_and_sum_f64));
  const Tensor gradient = widened(operands.gradient), result = widened(operands.result);
  const auto wide = [](const Tensor& like) {
    return like.defined() ? Tensor::empty(like.shape(), {f32, cpu_device}) : Tensor();
  };
  const Tensor masked = wide(operands.masked), sums = wide(operands.sums);
  run_gradient<float>({gradient, result, masked, sums}, HWY_DYNAMIC_DISPATCH(mask_and_sum_f32));
  if (masked.defined()) copy(masked, operands.masked);
  if (sums.defined()) copy(sums, operands.sums);
}

}  // namespace percale::cpu

#endif
