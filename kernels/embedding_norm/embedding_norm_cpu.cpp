#include <algorithm>
#include <optional>

#include "../common/index_range.h"
#include "../common/row_pieces.h"
#include "../fill/fill.h"
#include "embedding_norm_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/embedding_norm/embedding_norm_cpu.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include "../common/normalise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// x = word + position + type, and its norm in y, which may be x. `ahead`: the word's row that comes next, anywhere in
/// the table; the other tables are small.
template <class T>
void add_and_normalise(const T* word, const T* position, const T* type, const T* weight, const T* bias, int64_t width,
                       double eps, T* x, T* y, RowStatistics<T>* statistics, const T* ahead) {
  const auto load = [=](auto t, int64_t i) HWY_ATTR {
    const auto two = hn::Add(hn::LoadU(t, word + i), hn::LoadU(t, position + i));
    const auto value = hn::Add(two, hn::LoadU(t, type + i));
    hn::StoreU(value, t, x + i);
    return value;
  };
  const RowStatistics<T> by = simd::statistics_of(load, x, width, eps, ahead);
  simd::normalise_row(x, by, weight, bias, width, y, ahead);
  if (statistics) *statistics = by;
}
void embedding_norm_row_f32(const float* word, const float* position, const float* type, const float* weight,
                            const float* bias, int64_t width, double eps, float* x, float* y,
                            RowStatistics<float>* statistics, const float* ahead) {
  add_and_normalise(word, position, type, weight, bias, width, eps, x, y, statistics, ahead);
}
void embedding_norm_row_f64(const double* word, const double* position, const double* type, const double* weight,
                            const double* bias, int64_t width, double eps, double* x, double* y,
                            RowStatistics<double>* statistics, const double* ahead) {
  add_and_normalise(word, position, type, weight, bias, width, eps, x, y, statistics, ahead);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(embedding_norm_row_f32);
HWY_EXPORT(embedding_norm_row_f64);

namespace {

constexpr int64_t grain = 16384;  // elements a piece of work

template <class T, class Index, class Row>
void run(const EmbeddingNorm& operands, Row row_function) {
  constexpr int tables = embedding_norm_tables;
  const int64_t count = operands.result.size(0), width = operands.result.size(1);
  const TensorOptions options{dtype_of<T>, cpu_device};
  const Tensor weights = operands.weight.defined() ? operands.weight : full({width}, 1, options);
  const Tensor biases = operands.bias.defined() ? operands.bias : full({width}, 0, options);
  const RowReader<T> table[tables] = {
      {operands.tables[0], width}, {operands.tables[1], width}, {operands.tables[2], width}};
  const Index* index[tables];
  for (int k = 0; k < tables; ++k) index[k] = operands.indices[k].data<Index>();
  const RowWriter<T> result(operands.result, width);
  T* sum = data_or_null<T>(operands.sum);
  RowStatistics<T>* statistics = statistics_in<T>(operands.statistics);
  parallel_for(count, std::max<int64_t>(grain / width, 1), [&](int64_t begin, int64_t end) {
    const Tensor buffers = Tensor::empty({table[0].converts() ? 4 * width : 0}, options);
    T* buffer = buffers.data<T>();
    for (int64_t i = begin; i < end; ++i) {
      const T* row[tables];
      for (int k = 0; k < tables; ++k) row[k] = table[k].read(static_cast<int64_t>(index[k][i]), 1, buffer + k * width);
      T* y = result.place(i, buffer + 3 * width);
      T* x = sum ? sum + i * width : y;
      row_function(row[0], row[1], row[2], weights.data<T>(), biases.data<T>(), width, operands.eps, x, y,
                   statistics ? statistics + i : nullptr,
                   table[0].converts()
                       ? row[0]
                       : table[0].read(static_cast<int64_t>(index[0][std::min(i + 1, end - 1)]), 1, nullptr));
      result.written(i, 1, y);
    }
  });
}

}  // namespace

void embedding_norm(const EmbeddingNorm& operands) {
  visit_index("embedding_layer_norm", operands.indices[0].dtype(), [&]<class Index>() {
    for (int k = 0; k < embedding_norm_tables; ++k)
      check_range("embedding_layer_norm", embedding_norm_messages[k], operands.indices[k].data<Index>(),
                  operands.indices[k].shape(), operands.tables[k].size(0));
    if (operands.result.dtype() == f64)
      run<double, Index>(operands, HWY_DYNAMIC_DISPATCH(embedding_norm_row_f64));
    else
      run<float, Index>(operands, HWY_DYNAMIC_DISPATCH(embedding_norm_row_f32));
  });
}

}  // namespace percale::cpu
#endif
