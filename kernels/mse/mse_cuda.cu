// The mean squared error on CUDA: blocks leave partial sums, and a last block adds them in order.
#include "../common/device.h"
#include "../common/device_sums.h"
#include "mse_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

template <int vector, class A>
struct Squares {
  const A *input, *target;

  __device__ Vector<A, vector> operator()(index_t i) const {
    const Vector<A, vector> a = load_vector<vector>(input + i), b = load_vector<vector>(target + i);
    Vector<A, vector> result;
    for (int k = 0; k < vector; ++k) result[k] = (a[k] - b[k]) * (a[k] - b[k]);
    return result;
  }
};

template <int vector, class A>
__global__ void squares_kernel(Squares<vector, A> squares, A* loss, index_t count) {
  for (index_t i : grid_stride(count / vector)) store_vector(loss + i * vector, squares(i * vector));
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

template <class A>
void squared_error_as(const Tensor& input, const Tensor& target, const Tensor& loss, bool each, double divisor) {
  const A *a = input.data<A>(), *b = target.data<A>();
  const int64_t count = input.numel();
  if (!each)
    return with_vector<A>(
        count,
        [&]<int vector>() {
          sum_terms<vector, A>(Squares<vector, A>{a, b}, count, divisor, loss);
        },
        a, b);
  A* values = loss.data<A>();
  with_vector<A>(
      count,
      [&]<int vector>() {
        launch(squares_kernel<vector, A>, blocks_for(count, threads, vector), threads, 0, current_stream(),
               Squares<vector, A>{a, b}, values, count);
      },
      a, b, values);
}

template <class A>
void gradient_as(const Tensor& gradient, const Tensor& input, const Tensor& target, const Tensor& result, bool each,
                 double factor) {
  const A *upstream = gradient.data<A>(), *a = input.data<A>(), *b = target.data<A>();
  A* to = result.data<A>();
  const int64_t count = input.numel();
  with_vector<A>(
      count,
      [&]<int vector>() {
        launch(slopes_kernel<vector, A>, blocks_for(count, threads, vector), threads, 0, current_stream(), upstream, a,
               b, to, count, each, factor);
      },
      a, b, to);
}

}  // namespace

void squared_error(const Tensor& input, const Tensor& target, const Tensor& loss, bool each, double divisor) {
  if (input.dtype() == f64)
    squared_error_as<double>(input, target, loss, each, divisor);
  else
    squared_error_as<float>(input, target, loss, each, divisor);
}

void squared_error_gradient(const Tensor& gradient, const Tensor& input, const Tensor& target, const Tensor& result,
                            bool each, double factor) {
  if (input.dtype() == f64)
    gradient_as<double>(gradient, input, target, result, each, factor);
  else
    gradient_as<float>(gradient, input, target, result, each, factor);
}

}  // namespace percale::cuda
