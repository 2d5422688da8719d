#include "../common/convert.h"
#include "../common/device.h"
#include "one_hot_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// `vector` columns a thread. A bad index is reported once, and its row is zeros.
template <int vector, class T, class Index>
__global__ void one_hot_kernel(const Index* index, T* rows, index_t count, index_t classes, ErrorReporter reporter) {
  const index_t pieces = classes / vector;
  for (index_t i : grid_stride(count * pieces)) {
    const index_t row = i / pieces, column = i % pieces * vector;
    const auto hot = static_cast<index_t>(index[row]);
    if (column == 0 && (hot < 0 || hot >= classes)) report_bad_index(reporter, row, hot, classes);
    Vector<T, vector> values;
#pragma unroll
    for (int k = 0; k < vector; ++k) values[k] = percale::convert_to<T>(column + k == hot ? 1.0f : 0.0f);
    store_vector(rows + row * classes + column, values);
  }
}

}  // namespace

void one_hot(const Tensor& index, const Tensor& rows) {
  const int64_t count = index.numel(), classes = rows.size(-1);
  visit_index("one_hot", index.dtype(), [&]<class Index>() {
    const ErrorReporter reporter = error_reporter("one_hot", index.shape(), current_stream(), class_message);
    visit(rows.dtype(), [&]<class T>() {
      T* to = rows.data<T>();
      with_vector<T>(
          classes,
          [&]<int vector>() {
            launch(one_hot_kernel<vector, T, Index>, blocks_for(count * classes / vector, threads), threads, 0,
                   current_stream(), index.data<Index>(), to, count, classes, reporter);
          },
          to);
    });
  });
}

}  // namespace percale::cuda
