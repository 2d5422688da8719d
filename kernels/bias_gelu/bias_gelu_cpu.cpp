#include <algorithm>
#include <cmath>

#include "../common/row_pieces.h"
#include "../elementwise/elementwise_scalar.h"
#include "bias_gelu_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/bias_gelu/bias_gelu_cpu.cpp"
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include "../common/normalise-inl.h"
#include "../common/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void bias_gelu_row(const float* x, const float* bias, int64_t width, float* y) {
  simd::for_each_column<float>(width, [=](auto t, int64_t i) HWY_ATTR {
    hn::StoreU(simd::gelu(t, hn::Add(hn::LoadU(t, x + i), hn::LoadU(t, bias + i))), t, y + i);
  });
}

/// What arrives at the bias is added to `sums`.
void bias_gelu_gradient_row(const float* upstream, const float* x, const float* bias, int64_t width, float* gradient,
                            float* sums) {
  simd::for_each_column<float>(width, [=](auto t, int64_t i) HWY_ATTR {
    const auto slope = simd::gelu_slope(t, hn::Add(hn::LoadU(t, x + i), hn::LoadU(t, bias + i)));
    const auto value = hn::Mul(hn::LoadU(t, upstream + i), slope);
    hn::StoreU(value, t, gradient + i);
    hn::StoreU(hn::Add(hn::LoadU(t, sums + i), value), t, sums + i);
  });
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(bias_gelu_row);
HWY_EXPORT(bias_gelu_gradient_row);

namespace {

constexpr int64_t grain = 16384;  // elements a piece of work

void gelu_doubles(const double* x, const double* bias, int64_t width, double* y) {
  for (int64_t i = 0; i < width; ++i) y[i] = (x[i] + bias[i]) * elementwise::normal_below(x[i] + bias[i]);
}

void gradient_doubles(const double* upstream, const double* x, const double* bias, int64_t width, double* gradient,
                      double* sums) {
  for (int64_t i = 0; i < width; ++i) {
    const double at = x[i] + bias[i];
    gradient[i] = upstream[i] * (elementwise::normal_below(at) + at * elementwise::normal_density(at));
    sums[i] += gradient[i];
  }
}

template <class T, class Row>
void forward(const Tensor& input, const Tensor& bias, const Tensor& result, Row row_function) {
  const int64_t width = input.size(1);
  const RowReader<T> x(input, width);
  const RowWriter<T> y(result, width);
  parallel_for(input.size(0), std::max<int64_t>(grain / width, 1), [&](int64_t begin, int64_t end) {
    const Tensor buffers = Tensor::empty({x.converts() ? width : 0}, {dtype_of<T>, cpu_device});
    T* buffer = buffers.data<T>();
    for (int64_t row = begin; row < end; ++row) {
      T* to = y.place(row, buffer);
      row_function(x.read(row, 1, buffer), bias.data<T>(), width, to);
      y.written(row, 1, to);
    }
  });
}

template <class T, class Row>
void gradient(const BiasGeluGradient& operands, Row row_function) {
  const int64_t rows = operands.input.size(0), width = operands.input.size(1);
  const int64_t piece = rows_of_piece(rows), pieces = (rows + piece - 1) / piece;
  const RowReader<T> upstream(operands.upstream, width), x(operands.input, width);
  const RowWriter<T> result(operands.input_gradient, width);
  const Tensor partial = Tensor::empty({pieces, width}, {dtype_of<T>, cpu_device});
  parallel_for(rows, piece, [&](int64_t begin, int64_t end) {
    const Tensor buffers = Tensor::empty({x.converts() ? 2 * width : 0}, {dtype_of<T>, cpu_device});
    T *buffer = buffers.data<T>(), *sums = partial.data<T>() + begin / piece * width;
    std::fill_n(sums, width, T(0));
    for (int64_t row = begin; row < end; ++row) {
      T* to = result.place(row, buffer);
      row_function(upstream.read(row, 1, buffer), x.read(row, 1, buffer + width), operands.bias.data<T>(), width, to,
                   sums);
      result.written(row, 1, to);
    }
  });
  sum_pieces(partial.data<T>(), pieces, width, width, operands.bias_gradient);
}

}  // namespace

void bias_gelu(const Tensor& input, const Tensor& bias, const Tensor& result) {
  if (input.dtype() == f64)
    forward<double>(input, bias, result, gelu_doubles);
  else
    forward<float>(input, bias, result, HWY_DYNAMIC_DISPATCH(bias_gelu_row));
}

void bias_gelu_gradient(const BiasGeluGradient& operands) {
  if (operands.input.dtype() == f64)
    gradient<double>(operands, gradient_doubles);
  else
    gradient<float>(operands, HWY_DYNAMIC_DISPATCH(bias_gelu_gradient_row));
}

}  // namespace percale::cpu
#endif
