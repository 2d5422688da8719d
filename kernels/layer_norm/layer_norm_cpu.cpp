#include <algorithm>

#include "../../core/cpu/threads.h"
#include "../common/row_pieces.h"
#include "../fill/fill.h"
#include "layer_norm_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/layer_norm/layer_norm_cpu.cpp"
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include "../common/normalise-inl.h"

#ifndef PERCALE_LAYER_NORM_ROWS
#define PERCALE_LAYER_NORM_ROWS
namespace percale::cpu {
constexpr int rows_together = 4;  // whose gradients of weight and bias meet in registers

template <class T>
struct LayerNormFunctions {
  /// One row, which `x` holds already where `residual` is null; else their sum is first written to `x`. y may be x.
  void (*forward)(const T* input, const T* residual, T* x, const T* weight, const T* bias, int64_t width, double eps,
                  T* y, RowStatistics<T>* statistics);
  /// The same where all three are bf16; x is beside them.
  void (*forward_bf16)(const bfloat16* input, const bfloat16* residual, T* x, const T* weight, const T* bias,
                       int64_t width, double eps, bfloat16* y, RowStatistics<T>* statistics);
  void (*add)(const T* a, const T* b, int64_t count, T* sum);
  /// rows_together of them, and a single one.
  void (*some_gradients)(const T* upstream, const T* x, const RowStatistics<T>* by, const T* weight, int64_t width,
                         T* gradient, T* of_weight, T* of_bias);
  void (*one_gradient)(const T* upstream, const T* x, const RowStatistics<T>* by, const T* weight, int64_t width,
                       T* gradient, T* of_weight, T* of_bias);
};
}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
void add_rows(const T* a, const T* b, int64_t count, T* sum) {
  simd::for_each_column<T>(count, [=](auto t, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Add(hn::LoadU(t, a + i), hn::LoadU(t, b + i)), t, sum + i);
  });
}

template <class T, class In>
void forward_row(const In* input, const In* residual, T* x, const T* weight, const T* bias, int64_t width, double eps,
                 In* y, RowStatistics<T>* statistics) {
  constexpr bool is_wide = std::is_same_v<T, In>;
  const T* own = x;
  if constexpr (is_wide) own = residual ? x : input;
  const auto load = [=](auto t, int64_t i) HWY_ATTR {
    auto value = simd::load_wide(t, input + i);
    if (residual) value = hn::Add(value, simd::load_wide(t, residual + i));
    if (residual || !is_wide) hn::StoreU(value, t, x + i);
    return value;
  };
  const RowStatistics<T> by = simd::statistics_of(load, own, width, eps, input + width);
  simd::normalise_row(own, by, weight, bias, width, y, (residual ? residual : input) + width);
  if (statistics) *statistics = by;
}

template <class T>
LayerNormFunctions<T> layer_norm_functions() {
  LayerNormFunctions<T> functions{forward_row<T, T>, nullptr, add_rows<T>, simd::gradient_of_rows<rows_together, T>,
                                  simd::gradient_of_rows<1, T>};
  if constexpr (std::is_same_v<T, float>) functions.forward_bf16 = forward_row<float, bfloat16>;
  return functions;
}
LayerNormFunctions<float> layer_norm_functions_f32() { return layer_norm_functions<float>(); }
LayerNormFunctions<double> layer_norm_functions_f64() { return layer_norm_functions<double>(); }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(layer_norm_functions_f32);
HWY_EXPORT(layer_norm_functions_f64);

namespace {

constexpr int64_t grain = 16384;  // elements a piece of work

template <class T>
Tensor or_filled(const Tensor& parameter, int64_t width, double value) {
  return parameter.defined() ? parameter : full({width}, value, {dtype_of<T>, cpu_device});
}

template <class T>
void forward(const LayerNorm& operands, const LayerNormFunctions<T>& functions) {
  const int64_t rows = operands.input.size(0), width = operands.input.size(1);
  const Tensor weights = or_filled<T>(operands.weight, width, 1), biases = or_filled<T>(operands.bias, width, 0);
  const T *weight = weights.data<T>(), *bias = biases.data<T>();
  const RowReader<T> input(operands.input, width), residual(operands.residual, width);
  const RowWriter<T> result(operands.result, width);
  RowStatistics<T>* statistics = statistics_in<T>(operands.statistics);
  const bool buffered = input.converts() || residual.converts() || result.converts();
  const auto is_bf16 = [](const Tensor& tensor) { return tensor.dtype() == bf16; };
  const bool all_bf16 =
      is_bf16(operands.input) && is_bf16(operands.result) && (!residual || is_bf16(operands.residual));
  parallel_for(rows, std::max<int64_t>(grain / width, 1), [&](int64_t begin, int64_t end) {
    const Tensor buffers = Tensor::empty({buffered ? 3 * width : 0}, {dtype_of<T>, cpu_device});
    T* buffer = buffers.data<T>();
    for (int64_t row = begin; all_bf16 && row < end; ++row) {
      const auto at = [&](const Tensor& tensor) { return tensor.data<bfloat16>() + row * width; };
      functions.forward_bf16(at(operands.input), residual ? at(operands.residual) : nullptr, buffer, weight, bias,
                             width, operands.eps, at(operands.result), statistics ? statistics + row : nullptr);
    }
    for (int64_t row = begin; !all_bf16 && row < end; ++row) {
      T* y = result.place(row, buffer);
      const T* own = input.read(row, 1, buffer + width);
      functions.forward(own, residual ? residual.read(row, 1, buffer + 2 * width) : nullptr, y, weight, bias, width,
                        operands.eps, y, statistics ? statistics + row : nullptr);
      if (result.converts()) result.written(row, 1, y);
    }
  });
}

template <class T>
void gradient(const LayerNormGradient& operands, const LayerNormFunctions<T>& functions) {
  const int64_t rows = operands.input.size(0), width = operands.input.size(1);
  const int64_t piece = rows_of_piece(rows, rows_together), pieces = (rows + piece - 1) / piece;
  const Tensor weights = or_filled<T>(operands.weight, width, 1);
  const Tensor partial = Tensor::empty({pieces, 2, width}, {dtype_of<T>, cpu_device});
  const RowReader<T> upstream(operands.upstream, width), input(operands.input, width),
      residual(operands.residual, width);
  const RowWriter<T> result(operands.input_gradient, width), second(operands.residual_gradient, width);
  const RowStatistics<T>* statistics = statistics_in<T>(operands.statistics);
  const int64_t area = rows_together * width;
  parallel_for(rows, piece, [&](int64_t begin, int64_t end) {
    const Tensor buffers = Tensor::empty({5 * area}, {dtype_of<T>, cpu_device});
    T* buffer = buffers.data<T>();
    T* of_weight = partial.data<T>() + begin / piece * 2 * width;
    std::fill_n(of_weight, 2 * width, T(0));
    for (int64_t row = begin; row < end;) {
      const int64_t count = end - row >= rows_together ? rows_together : 1;
      const T* x = input.read(row, count, buffer);
      if (residual) {
        functions.add(x, residual.read(row, count, buffer + area), count * width, buffer + 2 * area);
        x = buffer + 2 * area;
      }
      const T* from = upstream.read(row, count, buffer + 3 * area);
      T* to = result.place(row, buffer + 4 * area);
      (count == 1 ? functions.one_gradient : functions.some_gradients)(from, x, statistics + row, weights.data<T>(),
                                                                       width, to, of_weight, of_weight + width);
      if (result.converts()) result.written(row, count, to);
      second.written(row, count, to);
      row += count;
    }
  });
  sum_pieces(partial.data<T>(), pieces, 2 * width, width, operands.weight_gradient);
  sum_pieces(partial.data<T>() + width, pieces, 2 * width, width, operands.bias_gradient);
}

}  // namespace

void layer_norm(const LayerNorm& operands) {
  if (operands.input.dtype() == f64)
    forward(operands, HWY_DYNAMIC_DISPATCH(layer_norm_functions_f64)());
  else
    forward(operands, HWY_DYNAMIC_DISPATCH(layer_norm_functions_f32)());
}

void layer_norm_gradient(const LayerNormGradient& operands) {
  if (operands.input.dtype() == f64)
    gradient(operands, HWY_DYNAMIC_DISPATCH(layer_norm_functions_f64)());
  else
    gradient(operands, HWY_DYNAMIC_DISPATCH(layer_norm_functions_f32)());
}

}  // namespace percale::cpu
#endif
