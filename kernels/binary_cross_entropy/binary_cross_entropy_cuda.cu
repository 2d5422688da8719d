// The binary losses on CUDA: blocks leave partial sums, and a last block adds them in order.
#include "../common/device.h"
#include "binary_loss_formulas.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;
constexpr int64_t block_length = 16 * threads;  ///< elements a block sums up

template <BinaryLoss kind, class A>
__global__ void losses_kernel(const A* input, const A* target, A* loss, index_t count) {
  for (index_t i : grid_stride(count)) loss[i] = loss_formula<kind>(input[i], target[i]);
}

/// The sum divided by `divisor` where there is one block, else the sum of this block's elements.
template <BinaryLoss kind, class A>
__global__ void sum_losses_kernel(const A* input, const A* target, A* sums, index_t count, double divisor) {
  const index_t begin = blockIdx.x * block_length, end = begin + block_length < count ? begin + block_length : count;
  A total = 0;
  for (index_t i = begin + threadIdx.x; i < end; i += threads) total += loss_formula<kind>(input[i], target[i]);
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
  const int64_t count = input.numel(), blocks = (count + block_length - 1) / block_length;
  const Stream stream = current_stream();
  with_kind(kind, input.dtype(), [&]<BinaryLoss known, class A>() {
    const A *x = input.data<A>(), *t = target.data<A>();
    A* values = loss.data<A>();
    if (each)
      return launch(losses_kernel<known, A>, blocks_for(count, threads), threads, 0, stream, x, t, values, count);
    const Tensor partial = Tensor::empty({blocks > 1 ? blocks : 0}, input.options());
    A* sums = blocks > 1 ? partial.data<A>() : values;
    constexpr size_t scratch = sizeof(BlockScratch<A>);
    launch(sum_losses_kernel<known, A>, blocks, threads, scratch, stream, x, t, sums, count, divisor);
    if (blocks > 1) launch(add_sums_kernel<A>, 1, threads, scratch, stream, sums, values, blocks, divisor);
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
