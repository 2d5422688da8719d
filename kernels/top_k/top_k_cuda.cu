// The k first elements of a row, one after the other by a block or from the sorted row, and the gradient that goes back
// to them.
#include "../common/device.h"
#include "../common/device_best.h"
#include "top_k_sorted.h"
#include "top_k_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// The largest k that is looked for one after the other, each time in all of the row: sorting moves about 150 bytes an
/// element, as much as 38 readings of it. By arithmetic; not yet measured on a GPU.
constexpr int64_t most_readings = 32;

template <class A>
struct Before {
  bool largest;
  __device__ bool operator()(const Found<A>& a, const Found<A>& b) const {
    return top_k_before(a.value, a.index, b.value, b.index, largest);
  }
};

template <class T>
__global__ void top_k_kernel(const T* x, T* values, int64_t* index, index_t rows, index_t length, index_t k,
                             bool largest) {
  using A = compute_t<T>;
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* elements = x + row * length;
    Found<A> last{A(0), no_index};
    for (index_t j = 0; j < k; ++j) {
      last = best_after(
          last, length,
          [&](index_t i) {
            return Found<A>{static_cast<A>(elements[i]), i};
          },
          Before<A>{largest}, dynamic_shared<BlockScratch<Found<A>>>());
      if (threadIdx.x == 0) {
        values[row * k + j] = elements[last.index];
        index[row * k + j] = last.index;
      }
    }
  }
}

template <class T>
__global__ void scatter_kernel(const T* gradient, const int64_t* index, T* result, index_t count, index_t length,
                               index_t k) {
  for (index_t i : grid_stride(count)) result[i / k * length + index[i]] = gradient[i];
}

}  // namespace

void top_k(const Tensor& x, bool largest, const Tensor& values, const Tensor& index) {
  const int64_t rows = x.size(0);
  const bool sorts = index.size(1) > most_readings && x.numel() < 0xffffffff;
  visit(x.dtype(), [&]<class T>() {
    if constexpr (std::is_same_v<T, bool>)
      return;
    else if (sorts)
      top_k_by_sorting<T>(x, largest, values, index);
    else
      launch(top_k_kernel<T>, blocks_for(rows, 1), threads, sizeof(BlockScratch<Found<compute_t<T>>>), current_stream(),
             x.data<T>(), values.data<T>(), index.data<int64_t>(), rows, x.size(1), index.size(1), largest);
  });
}

void top_k_gradient(const Tensor& gradient, const Tensor& index, const Tensor& result) {
  fill_async(result.data(), 0, static_cast<size_t>(result.numel()) * size_of(result.dtype()), current_stream());
  visit_floating("top_k", result.dtype(), [&]<class T>() {
    launch(scatter_kernel<T>, blocks_for(index.numel(), threads), threads, 0, current_stream(), gradient.data<T>(),
           index.data<int64_t>(), result.data<T>(), index.numel(), result.size(1), index.size(1));
  });
}

}  // namespace percale::cuda
