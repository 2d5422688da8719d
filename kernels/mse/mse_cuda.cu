// The mean squared error on CUDA: blocks leave partial sums, and a last block adds them in order.
#include "../common/device.h"
#include "mse_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;
constexpr int64_t block_length = 16 * threads;  ///< elements a block sums up

template <int vector, class A>
__global__ void squares_kernel(const A* input, const A* target, A* loss, index_t count) {
  for (index_t i : grid_stride(count / vector)) {
    const Vector<A, vector> a = load_vector<vector>(input + i * vector), b = load_vector<vector>(target + i * vector);
    Vector<A, vector> result;
    for (int k = 0; k < vector; ++k) result[k] = (a[k] - b[k]) * (a[k] - b[k]);
    store_vector(loss + i * vector, result);
  }
}

/// The sum divided by `divisor` where there is one block, else the sum of this block's elements.
template <int vector, class A>
__global__ void sum_squares_kernel(const A* input, const A* target, A* sums, index_t count, double divisor) {
  const index_t begin = blockIdx.x * block_length, end = begin + block_length < count ? begin + block_length : count;
  A total = 0;
  for (index_t i = begin + threadIdx.x * vector; i < end; i += threads * vector) {
    const Vector<A, vector> a = load_vector<vector>(input + i), b = load_vector<vector>(target + i);
    for (int k = 0; k < vector; ++k) total += (a[k] - b[k]) * (a[k] - b[k]);
  }
  total = block_sum(total, dynamic_shared<BlockScratch<A>>());
  if (threadIdx.x == 0) sums[blockIdx.x] = gridDim.x > 1 ? total : static_cast<A>(static_cast<double>(total) / divisor);
}

template <class A>
__global__ void add_sums_kernel(const A* sums, A* loss, index_t count, double divisor) {
  A total = 0;
  for (index_t i = threadIdx.x; i < count; i += threads) total += sums[i];
  total = block_sum(total, dynamic_shared<BlockScratch<A>>());
  if (threadIdx.x == 0) *loss = static_cast<A>(static_cast<double>(total) / divisor);
}

template <int vector, class A>
__global__ void slopes_kernel(const A* gradient, const A* input, const A* target, A* result, index_t count, bool each,
                              double factor) {
  const A scale = static_cast<A>(each ? factor : factor * static_cast<double>(*gradient));
  for (index_t i : grid_stride(count / vector)) {
    const Vector<A, vector> a = load_vector<vector>(input + i * vector), b = load_vector<vector>(target + i * vector);
    Vector<A, vector> value;
    for (int k = 0; k < vector; ++k) value[k] = (a[k] - b[k]) * scale * (each ? gradient[i * vector + k] : A(1));
    store_vector(result + i * vector, value);
  }
}

/// Calls `body.operator()<vector>()` with 16 bytes' worth of elements if that fits every address, else with 1.
template <class A, class Body, class... Addresses>
void with_vector(int64_t count, Body body, const Addresses*... addresses) {
  if (widest_vector<A>(count, addresses...) == wide<A>) body.template operator()<wide<A>>();
  else body.template operator()<1>();
}

template <class A>
void squared_error_as(const Tensor& input, const Tensor& target, const Tensor& loss, bool each, double divisor) {
  const A *a = input.data<A>(), *b = target.data<A>();
  A* values = loss.data<A>();
  const int64_t count = input.numel(), blocks = (count + block_length - 1) / block_length;
  const Stream stream = current_stream();
  if (each) {
    with_vector<A>(count, [&]<int vector>() {
      launch(squares_kernel<vector, A>, blocks_for(count, threads, vector), threads, 0, stream, a, b, values, count);
    }, a, b, values);
    return;
  }
  const Tensor partial = Tensor::empty({blocks > 1 ? blocks : 0}, input.options());
  A* sums = blocks > 1 ? partial.data<A>() : values;
  constexpr size_t scratch = sizeof(BlockScratch<A>);
  with_vector<A>(count, [&]<int vector>() {
    launch(sum_squares_kernel<vector, A>, blocks, threads, scratch, stream, a, b, sums, count, divisor);
  }, a, b);
  if (blocks > 1) launch(add_sums_kernel<A>, 1, threads, scratch, stream, sums, values, blocks, divisor);
}

template <class A>
void gradient_as(const Tensor& gradient, const Tensor& input, const Tensor& target, const Tensor& result, bool each, double factor) {
  const A *upstream = gradient.data<A>(), *a = input.data<A>(), *b = target.data<A>();
  A* to = result.data<A>();
  const int64_t count = input.numel();
  with_vector<A>(count, [&]<int vector>() {
    launch(slopes_kernel<vector, A>, blocks_for(count, threads, vector), threads, 0, current_stream(), upstream, a, b, to,
           count, each, factor);
  }, a, b, to);
}

}  // namespace

void squared_error(const Tensor& input, const Tensor& target, const Tensor& loss, bool each, double divisor) {
  if (input.dtype() == f64) squared_error_as<double>(input, target, loss, each, divisor);
  else squared_error_as<float>(input, target, loss, each, divisor);
}

void squared_error_gradient(const Tensor& gradient, const Tensor& input, const Tensor& target, const Tensor& result, bool each,
                            double factor) {
  if (input.dtype() == f64) gradient_as<double>(gradient, input, target, result, each, factor);
  else gradient_as<float>(gradient, input, target, result, each, factor);
}

}  // namespace percale::cuda
