// Softmax on CUDA: a warp or a block a row, or a thread a row where rows lie side by side.
#include "../common/device.h"
#include "../common/device_exponentials.h"
#include "softmax_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

/// A row's share of the block: `group` threads, `vector` elements each at a time.
template <int group, int vector>
struct Share {
  index_t row;
  int thread;

  __device__ Share()
      : row(static_cast<index_t>(blockIdx.x) * (threads / group) + threadIdx.x / group), thread(threadIdx.x % group) {}

  /// Calls `body(i)` for this thread's vectors of a row.
  template <class Body>
  __device__ void for_each(index_t length, Body body) const {
    for (index_t i = thread * vector; i < length; i += group * vector) body(i);
  }
};

template <int group, int vector, class A>
__global__ void softmax_rows_kernel(const A* x, A* y, Rows rows, bool logarithm) {
  const Share<group, vector> share;
  if (share.row >= rows.outer) return;  // a whole warp
  x += share.row * rows.length;
  y += share.row * rows.length;
  Exponentials<A> all;
  share.for_each(rows.length, [&](index_t i) {
    const Vector<A, vector> values = load_vector<vector>(x + i);
    for (int k = 0; k < vector; ++k) all.add(values[k]);
  });
  all = group_reduce<group>(all, combine::Joined{}, Exponentials<A>{});
  const A shift = ::log(all.sum);
  share.for_each(rows.length, [&](index_t i) {
    Vector<A, vector> values = load_vector<vector>(x + i);
    for (int k = 0; k < vector; ++k)
      values[k] = logarithm ? values[k] - all.largest - shift : ::exp(values[k] - all.largest) / all.sum;
    store_vector(y + i, values);
  });
}

template <class A>
__global__ void softmax_columns_kernel(const A* x, A* y, Rows rows, bool logarithm) {
  for (index_t row : grid_stride(rows.outer * rows.inner)) {
    const index_t first = row / rows.inner * rows.inner * rows.length + row % rows.inner;
    const index_t end = first + rows.length * rows.inner;
    Exponentials<A> all;
    for (index_t i = first; i < end; i += rows.inner) all.add(x[i]);
    const A shift = ::log(all.sum);
    for (index_t i = first; i < end; i += rows.inner)
      y[i] = logarithm ? x[i] - all.largest - shift : ::exp(x[i] - all.largest) / all.sum;
  }
}

/// What one element adds to its row's sum, and what becomes of it then.
template <class A>
__device__ A addend(A gradient, A y, bool logarithm) {
  return logarithm ? gradient : gradient * y;
}
template <class A>
__device__ A gradient_of(A gradient, A y, A sum, bool logarithm) {
  return logarithm ? gradient - ::exp(y) * sum : y * (gradient - sum);
}

template <int group, int vector, class A>
__global__ void gradient_rows_kernel(const A* gradient, const A* y, A* result, Rows rows, bool logarithm) {
  const Share<group, vector> share;
  if (share.row >= rows.outer) return;  // a whole warp
  gradient += share.row * rows.length;
  y += share.row * rows.length;
  result += share.row * rows.length;
  A sum = 0;
  share.for_each(rows.length, [&](index_t i) {
    const Vector<A, vector> upstream = load_vector<vector>(gradient + i), own = load_vector<vector>(y + i);
    for (int k = 0; k < vector; ++k) sum += addend(upstream[k], own[k], logarithm);
  });
  sum = group_reduce<group>(sum, combine::Sum{}, A(0));
  share.for_each(rows.length, [&](index_t i) {
    const Vector<A, vector> upstream = load_vector<vector>(gradient + i), own = load_vector<vector>(y + i);
    Vector<A, vector> values;
    for (int k = 0; k < vector; ++k) values[k] = gradient_of(upstream[k], own[k], sum, logarithm);
    store_vector(result + i, values);
  });
}

template <class A>
__global__ void gradient_columns_kernel(const A* gradient, const A* y, A* result, Rows rows, bool logarithm) {
  for (index_t row : grid_stride(rows.outer * rows.inner)) {
    const index_t first = row / rows.inner * rows.inner * rows.length + row % rows.inner;
    const index_t end = first + rows.length * rows.inner;
    A sum = 0;
    for (index_t i = first; i < end; i += rows.inner) sum += addend(gradient[i], y[i], logarithm);
    for (index_t i = first; i < end; i += rows.inner) result[i] = gradient_of(gradient[i], y[i], sum, logarithm);
  }
}

/// Calls `body.operator()<group, vector>()` with what suits rows of this length at these addresses.
template <class A, class Body, class... Addresses>
void with_share(Rows rows, Body body, const Addresses*... addresses) {
  const bool vectors = widest_vector<A>(rows.length, addresses...) == wide<A>;
  if (rows.length <= 1024) {
    if (vectors)
      body.template operator()<warp_size, wide<A>>();
    else
      body.template operator()<warp_size, 1>();
  } else {
    if (vectors)
      body.template operator()<threads, wide<A>>();
    else
      body.template operator()<threads, 1>();
  }
}

template <int group>
int64_t blocks_of(Rows rows) {
  return (rows.outer * group + threads - 1) / threads;
}

template <class A>
void softmax_as(const A* x, A* y, Rows rows, bool logarithm) {
  const Stream stream = current_stream();
  if (rows.inner > 1) {
    launch(softmax_columns_kernel<A>, blocks_for(rows.outer * rows.inner, threads), threads, 0, stream, x, y, rows,
           logarithm);
    return;
  }
  with_share<A>(
      rows,
      [&]<int group, int vector>() {
        launch(softmax_rows_kernel<group, vector, A>, blocks_of<group>(rows), threads,
               group_scratch<group, Exponentials<A>>, stream, x, y, rows, logarithm);
      },
      x, y);
}

template <class A>
void gradient_as(const A* gradient, const A* y, A* result, Rows rows, bool logarithm) {
  const Stream stream = current_stream();
  if (rows.inner > 1) {
    launch(gradient_columns_kernel<A>, blocks_for(rows.outer * rows.inner, threads), threads, 0, stream, gradient, y,
           result, rows, logarithm);
    return;
  }
  with_share<A>(
      rows,
      [&]<int group, int vector>() {
        launch(gradient_rows_kernel<group, vector, A>, blocks_of<group>(rows), threads, group_scratch<group, A>, stream,
               gradient, y, result, rows, logarithm);
      },
      gradient, y, result);
}

}  // namespace

void softmax(const Tensor& x, const Tensor& y, Rows rows, bool logarithm) {
  if (x.dtype() == f64)
    softmax_as(x.data<double>(), y.data<double>(), rows, logarithm);
  else
    softmax_as(x.data<float>(), y.data<float>(), rows, logarithm);
}

void softmax_gradient(const Tensor& gradient, const Tensor& y, const Tensor& result, Rows rows, bool logarithm) {
  if (y.dtype() == f64)
    gradient_as(gradient.data<double>(), y.data<double>(), result.data<double>(), rows, logarithm);
  else
    gradient_as(gradient.data<float>(), y.data<float>(), result.data<float>(), rows, logarithm);
}

}  // namespace percale::cuda
