// The binary losses on CUDA: blocks leave partial sums, and a last block adds them in order.
#include "../common/device.h"
#include "../common/device_sums.h"
#include "binary_loss_formulas.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

template <BinaryLoss kind, class A>
struct Losses {
  const A *input, *target;

  __device__ Vector<A, 1> operator()(index_t i) const { return {{loss_formula<kind>(input[i], target[i])}}; }
};

template <BinaryLoss kind, class A>
__global__ void losses_kernel(Losses<kind, A> losses, A* loss, index_t count) {
  for (index_t i : grid_stride(count)) loss[i] = losses(i)[0];
}

template <BinaryLoss kind, class A>
__global__ void slopes_kernel(const A* gradient, const A* input, const A* target, A* result, index_t count, bool each,
                              double factor) {
  const A scale = static_cast<A>(each ? factor : factor * static_cast<double>(*gradient));
  for (index_t i : grid_stride(count))
    result[i] = slope_formula<kind>(input[i], target[i]) * scale * (each ? gradient[i] : A(1));
}

/// Calls `body.operator()<kind, A>()`.
template <class Body>
void with_kind(BinaryLoss kind, DType dtype, Body body) {
  auto of = [&]<BinaryLoss known>() {
    if (dtype == f64)
      body.template operator()<known, double>();
    else
      body.template operator()<known, float>();
  };
  switch (kind) {
    case BinaryLoss::probabilities:
      return of.template operator()<BinaryLoss::probabilities>();
    case BinaryLoss::logits:
      return of.template operator()<BinaryLoss::logits>();
    case BinaryLoss::squared_sigmoid:
      return of.template operator()<BinaryLoss::squared_sigmoid>();
  }
}

}  // namespace

void binary_loss(BinaryLoss kind, const Tensor& input, const Tensor& target, const Tensor& loss, bool each,
                 double divisor) {
  const int64_t count = input.numel();
  with_kind(kind, input.dtype(), [&]<BinaryLoss known, class A>() {
    const Losses<known, A> losses{input.data<A>(), target.data<A>()};
    if (!each) return sum_terms<1, A>(losses, count, divisor, loss);
    launch(losses_kernel<known, A>, blocks_for(count, threads), threads, 0, current_stream(), losses, loss.data<A>(),
           count);
  });
}

void binary_loss_gradient(BinaryLoss kind, const Tensor& gradient, const Tensor& input, const Tensor& target,
                          const Tensor& result, bool each, double factor) {
  const int64_t count = input.numel();
  with_kind(kind, input.dtype(), [&]<BinaryLoss known, class A>() {
    launch(slopes_kernel<known, A>, blocks_for(count, threads), threads, 0, current_stream(), gradient.data<A>(),
           input.data<A>(), target.data<A>(), result.data<A>(), count, each, factor);
  });
}

}  // namespace percale::cuda
