#include "../common/convert.h"
#include "../common/device.h"
#include "../common/strided.h"
#include "fill_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// Dense runs move 16 bytes a thread where the addresses allow it; `vector` is then the number of elements in them.
template <int vector, class T>
__global__ void fill_dense_kernel(T* target, T value, index_t count) {
  Vector<T, vector> values;
  for (int k = 0; k < vector; ++k) values[k] = value;
  for (index_t i : grid_stride(count / vector)) store_vector(target + i * vector, values);
}

template <class T>
__global__ void fill_strided_kernel(StridedLayout<1> layout, T* target, T value) {
  for (index_t i : grid_stride(layout.count)) target[layout.offsets(i)[0]] = value;
}

template <int vector, class From, class To>
__global__ void convert_dense_kernel(const From* source, To* target, index_t count) {
  for (index_t i : grid_stride(count / vector)) {
    const Vector<From, vector> from = load_vector<vector>(source + i * vector);
    Vector<To, vector> to;
    for (int k = 0; k < vector; ++k) to[k] = percale::convert_to<To>(from[k]);
    store_vector(target + i * vector, to);
  }
}

template <class From, class To>
__global__ void copy_strided_kernel(StridedLayout<2> layout, const From* source, To* target) {
  for (index_t i : grid_stride(layout.count)) {
    const Offsets<2> at = layout.offsets(i);
    target[at[0]] = percale::convert_to<To>(source[at[1]]);
  }
}

/// Sums are lasting state: nothing is added once an operation has met a bad index.
template <int vector, class T>
__global__ void add_into_dense_kernel(T* target, const T* addend, index_t count, const ErrorRecord* error) {
  if (has_error(error)) return;
  for (index_t i : grid_stride(count / vector)) {
    Vector<T, vector> sum = load_vector<vector>(target + i * vector);
    const Vector<T, vector> more = load_vector<vector>(addend + i * vector);
    for (int k = 0; k < vector; ++k)
      sum[k] = percale::convert_to<T>(static_cast<compute_t<T>>(sum[k]) + static_cast<compute_t<T>>(more[k]));
    store_vector(target + i * vector, sum);
  }
}

template <class T>
__global__ void add_into_strided_kernel(StridedLayout<2> layout, T* target, const T* addend, const ErrorRecord* error) {
  if (has_error(error)) return;
  for (index_t i : grid_stride(layout.count)) {
    const Offsets<2> at = layout.offsets(i);
    T& sum = target[at[0]];
    sum = percale::convert_to<T>(static_cast<compute_t<T>>(sum) + static_cast<compute_t<T>>(addend[at[1]]));
  }
}

}  // namespace

void fill(const Tensor& target, double value) {
  const bool dense = strided_walk<1>(target.shape(), {target.strides()}).is_dense();
  const int64_t count = target.numel();
  visit(target.dtype(), [&]<class T>() {
    T* data = target.data<T>();
    const T converted = percale::convert_to<T>(value);
    if (dense) {
      with_vector<T>(
          count,
          [&]<int vector>() {
            launch(fill_dense_kernel<vector, T>, blocks_for(count, threads, vector), threads, 0, current_stream(), data,
                   converted, count);
          },
          data);
    } else {
      launch(fill_strided_kernel<T>, blocks_for(count, threads), threads, 0, current_stream(),
             strided_layout(target.shape(), target.strides()), data, converted);
    }
  });
}

void copy(const Tensor& source, const Tensor& target) {
  const int64_t count = target.numel();
  const bool dense = strided_walk<2>(target.shape(), {target.strides(), source.strides()}).is_dense();
  if (dense && source.dtype() == target.dtype()) {
    copy_async(target.data(), source.data(), static_cast<size_t>(count) * size_of(source.dtype()),
               CopyKind::device_to_device, current_stream());
    return;
  }
  visit(source.dtype(), [&]<class From>() {
    visit(target.dtype(), [&]<class To>() {
      using Wider = std::conditional_t<(sizeof(From) > sizeof(To)), From, To>;
      if (dense && widest_vector<Wider>(count, source.data<From>(), target.data<To>()) == wide<Wider>) {
        launch(convert_dense_kernel<wide<Wider>, From, To>, blocks_for(count, threads, wide<Wider>), threads, 0,
               current_stream(), source.data<From>(), target.data<To>(), count);
      } else {
        launch(copy_strided_kernel<From, To>, blocks_for(count, threads), threads, 0, current_stream(),
               strided_layout(target.shape(), target.strides(), source.strides()), source.data<From>(),
               target.data<To>());
      }
    });
  });
}

void add_into(const Tensor& target, const Tensor& addend) {
  const int64_t count = target.numel();
  const bool dense = strided_walk<2>(target.shape(), {target.strides(), addend.strides()}).is_dense();
  visit(target.dtype(), [&]<class T>() {
    T* sum = target.data<T>();
    const T* more = addend.data<T>();
    if (dense) {
      with_vector<T>(
          count,
          [&]<int vector>() {
            launch(add_into_dense_kernel<vector, T>, blocks_for(count, threads, vector), threads, 0, current_stream(),
                   sum, more, count, error_record());
          },
          sum, more);
    } else {
      launch(add_into_strided_kernel<T>, blocks_for(count, threads), threads, 0, current_stream(),
             strided_layout(target.shape(), target.strides(), addend.strides()), sum, more, error_record());
    }
  });
}

}  // namespace percale::cuda
