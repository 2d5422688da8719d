// The sum of many elements in two steps: blocks leave sums of fixed pieces, and a last block adds them in order. After
// device.h, in a `_cuda.cu` file.
#pragma once

#include "../../core/tensor.h"
#include "device.h"

namespace percale::cuda {

inline constexpr int sum_threads = 256;
inline constexpr int64_t sum_length = 16 * sum_threads;  ///< elements that a block sums up

/// sums[block] is the sum of `terms(i)`, a Vector of `vector` elements from the i-th on, over the block's elements;
/// where there is one block it is the whole result.
template <int vector, class A, class Terms>
__global__ void sum_pieces_kernel(Terms terms, A* sums, index_t count, double divisor) {
  const index_t begin = blockIdx.x * sum_length, end = begin + sum_length < count ? begin + sum_length : count;
  A total = 0;
  for (index_t i = begin + threadIdx.x * vector; i < end; i += sum_threads * vector) {
    const Vector<A, vector> values = terms(i);
    for (int k = 0; k < vector; ++k) total += values[k];
  }
  total = block_sum(total, dynamic_shared<BlockScratch<A>>());
  if (threadIdx.x == 0) sums[blockIdx.x] = gridDim.x > 1 ? total : static_cast<A>(static_cast<double>(total) / divisor);
}

template <class A>
__global__ void add_sums_kernel(const A* sums, A* result, index_t count, double divisor) {
  A total = 0;
  for (index_t i = threadIdx.x; i < count; i += sum_threads) total += sums[i];
  total = block_sum(total, dynamic_shared<BlockScratch<A>>());
  if (threadIdx.x == 0) *result = static_cast<A>(static_cast<double>(total) / divisor);
}

/// result = the sum of `count` terms / divisor. `count` is a multiple of `vector`.
template <int vector, class A, class Terms>
void sum_terms(Terms terms, index_t count, double divisor, const Tensor& result) {
  const int64_t blocks = (count + sum_length - 1) / sum_length;
  const Tensor partial = Tensor::empty({blocks > 1 ? blocks : 0}, result.options());
  A* sums = blocks > 1 ? partial.data<A>() : result.data<A>();
  constexpr size_t scratch = sizeof(BlockScratch<A>);
  launch(sum_pieces_kernel<vector, A, Terms>, blocks, sum_threads, scratch, current_stream(), terms, sums, count,
         divisor);
  if (blocks > 1)
    launch(add_sums_kernel<A>, 1, sum_threads, scratch, current_stream(), sums, result.data<A>(), blocks, divisor);
}

}  // namespace percale::cuda
