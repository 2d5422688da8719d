#include "../common/convert.h"
#include "../common/device.h"
#include "matmul_twins.h"

namespace percale::cuda {
namespace {

/// A thread an element.
template <class T>
__global__ void matmul_kernel(StridedLayout<2> rows_and_columns, const T* a, const T* b, int64_t depth, int64_t a_step,
                              int64_t b_step, T* out) {
  for (index_t i : grid_stride(rows_and_columns.count)) {
    const Offsets<2> at = rows_and_columns.offsets(i);
    compute_t<T> sum = 0;
    for (int64_t k = 0; k < depth; ++k)
      sum += static_cast<compute_t<T>>(a[at[0] + k * a_step]) * static_cast<compute_t<T>>(b[at[1] + k * b_step]);
    out[i] = percale::convert_to<T>(sum);
  }
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, const Tensor& out) {
  Strides of_a = a.strides(), of_b = b.strides();
  const int last = a.rank() - 1;
  of_a[last] = 0;
  of_b[last - 1] = 0;
  visit_floating("matmul", a.dtype(), [&]<class T>() {
    launch(matmul_kernel<T>, blocks_for(out.numel()), 256, 0, current_stream(), strided_layout(out.shape(), of_a, of_b),
           a.data<T>(), b.data<T>(), a.size(-1), a.strides()[last], b.strides()[last - 1], out.data<T>());
  });
}

}  // namespace percale::cuda
