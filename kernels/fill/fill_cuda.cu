#include "../common/convert.h"
#include "../common/device.h"
#include "../common/strided.h"
#include "fill_twins.h"

namespace percale::cuda {
namespace {

constexpr int block = 256;

/// Where element `i` of the walk lies in operand `operand`.
template <int N>
__device__ int64_t offset_of(const StridedWalk<N>& walk, int operand, int64_t i) {
  int64_t offset = 0;
  for (int dim = walk.rank - 1; dim >= 0; --dim) {
    offset += i % walk.extents[dim] * walk.strides[operand][dim];
    i /= walk.extents[dim];
  }
  return offset;
}

template <class T>
__global__ void fill_kernel(StridedWalk<1> walk, T* target, T value) {
  for (int64_t i = global_thread(); i < walk.count; i += global_threads()) target[offset_of(walk, 0, i)] = value;
}

template <class From, class To>
__global__ void copy_kernel(StridedWalk<2> walk, const From* source, To* target) {
  for (int64_t i = global_thread(); i < walk.count; i += global_threads())
    target[offset_of(walk, 0, i)] = convert_to<To>(source[offset_of(walk, 1, i)]);
}

/// Sums are lasting state: nothing is added once an operation has met a bad index.
template <class T>
__global__ void add_into_kernel(StridedWalk<2> walk, T* target, const T* addend, const ErrorWord* error) {
  if (has_error(error)) return;
  for (int64_t i = global_thread(); i < walk.count; i += global_threads()) {
    T& element = target[offset_of(walk, 0, i)];
    element = convert_to<T>(static_cast<compute_t<T>>(element) + static_cast<compute_t<T>>(addend[offset_of(walk, 1, i)]));
  }
}

}  // namespace

void fill(const Tensor& target, double value) {
  const auto walk = strided_walk<1>(target.shape(), {target.strides()});
  visit(target.dtype(), [&]<class T>() {
    launch(fill_kernel<T>, grid_for(walk.count, block), block, 0, current_stream(), walk, target.data<T>(),
           convert_to<T>(value));
  });
}

void copy(const Tensor& source, const Tensor& target) {
  const auto walk = strided_walk<2>(target.shape(), {target.strides(), source.strides()});
  if (source.dtype() == target.dtype() && walk.is_dense()) {
    copy_async(target.data(), source.data(), static_cast<size_t>(walk.count) * size_of(source.dtype()),
               CopyKind::device_to_device, current_stream());
    return;
  }
  visit(source.dtype(), [&]<class From>() {
    visit(target.dtype(), [&]<class To>() {
      launch(copy_kernel<From, To>, grid_for(walk.count, block), block, 0, current_stream(), walk, source.data<From>(),
             target.data<To>());
    });
  });
}

void add_into(const Tensor& target, const Tensor& addend) {
  const auto walk = strided_walk<2>(target.shape(), {target.strides(), addend.strides()});
  visit(target.dtype(), [&]<class T>() {
    launch(add_into_kernel<T>, grid_for(walk.count, block), block, 0, current_stream(), walk, target.data<T>(),
           addend.data<T>(), error_word());
  });
}

}  // namespace percale::cuda
