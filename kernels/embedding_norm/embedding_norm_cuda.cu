// The sum of three tables' rows and its norm on CUDA: a warp or a block an entry, which keeps the sum in registers.
#include "../common/convert.h"
#include "../common/device.h"
#include "../common/device_row.h"
#include "embedding_norm_twins.h"

namespace percale::cuda {
namespace {

constexpr int tables = embedding_norm_tables;

template <class T, class Index>
struct Entries {
  using A = compute_t<T>;
  const T* table[tables];
  const Index* index[tables];
  index_t bound[tables];
  const A *weight, *bias;
  A* sum;
  T* result;
  RowStatistics<A>* statistics;
  index_t count, width;
  double eps;
};

struct Reporters {
  ErrorReporter of[tables];
};

template <class T, class A>
struct SumOfRows {
  const T* row[tables];

  template <int vector>
  __device__ Vector<A, vector> load(index_t i) const {
    Vector<A, vector> total = convert_to<A>(load_vector<vector>(row[0] + i));
#pragma unroll
    for (int k = 1; k < tables; ++k) {
      const Vector<A, vector> more = convert_to<A>(load_vector<vector>(row[k] + i));
#pragma unroll
      for (int lane = 0; lane < vector; ++lane) total[lane] = total[lane] + more[lane];
    }
    return total;
  }
};

template <int group, int vector, class T, class Index>
__global__ void embedding_norm_kernel(Entries<T, Index> all, Reporters reporters) {
  using A = compute_t<T>;
  const index_t entry = row_of_group<group>(), first = entry * all.width;
  if (entry >= all.count) return;  // a whole warp
  SumOfRows<T, A> source;
  for (int k = 0; k < tables; ++k) {
    auto row = static_cast<index_t>(all.index[k][entry]);
    if (row < 0 || row >= all.bound[k]) {
      if (threadIdx.x % group == 0) report_bad_index(reporters.of[k], entry, row, all.bound[k]);
      row = 0;
    }
    source.row[k] = all.table[k] + row * all.width;
  }
  const KeptRow<group, vector, A, SumOfRows<T, A>> x(source, all.width);
  const RowStatistics<A> by = statistics_of<group>(x, all.width, all.eps);
  x.for_each([&](index_t i, const Vector<A, vector>& values) {
    store_vector(all.result + first + i, scaled<T>(values, by, all.weight, all.bias, i));
    if (all.sum) store_vector(all.sum + first + i, values);
  });
  if (all.statistics && x.thread == 0) all.statistics[entry] = by;
}

template <class T, class Index>
void run(const EmbeddingNorm& operands) {
  using A = compute_t<T>;
  Entries<T, Index> all{};
  Reporters reporters;
  for (int k = 0; k < tables; ++k) {
    all.table[k] = operands.tables[k].data<T>();
    all.index[k] = operands.indices[k].data<Index>();
    all.bound[k] = operands.tables[k].size(0);
    reporters.of[k] = error_reporter("embedding_layer_norm", operands.indices[k].shape(), current_stream(),
                                     embedding_norm_messages[k]);
  }
  all.weight = data_or_null<A>(operands.weight);
  all.bias = data_or_null<A>(operands.bias);
  all.sum = data_or_null<A>(operands.sum);
  all.result = operands.result.data<T>();
  all.statistics = statistics_in<A>(operands.statistics);
  all.count = operands.result.size(0);
  all.width = operands.result.size(1);
  all.eps = operands.eps;
  with_group<A>(
      all.width,
      [&]<int group, int vector>() {
        launch(embedding_norm_kernel<group, vector, T, Index>, blocks_of_rows<group>(all.count), row_block,
               group_scratch<group, TwoSums<A>>, current_stream(), all, reporters);
      },
      all.table[0], all.table[1], all.table[2], all.sum, all.result);
}

}  // namespace

void embedding_norm(const EmbeddingNorm& operands) {
  visit_floating("embedding_layer_norm", operands.result.dtype(), [&]<class T>() {
    visit_index("embedding_layer_norm", operands.indices[0].dtype(), [&]<class Index>() { run<T, Index>(operands); });
  });
}

}  // namespace percale::cuda
