// Steps within a block, whose size must be a multiple of 32: reduce, scan and the first largest, always in the same
// order. Each takes scratch from the kernel's shared struct, and leaves it free to be used again. Part of device.h.
#pragma once

#include "device_warp.h"

namespace percale::cuda {

/// One value a warp.
template <class T>
struct BlockScratch {
  T of_warp[warp_size];
};

/// Combines one value a thread; every thread gets the result. `identity` changes nothing when combined.
template <class T, class Combine>
__device__ T block_reduce(T value, Combine combine, T identity, BlockScratch<T>& scratch) {
  const int lane = lane_index(), warps = threads_in_block() / warp_size;
  value = warp_reduce(value, combine);
  if (lane == 0) scratch.of_warp[warp_index()] = value;
  __syncthreads();
  value = warp_reduce(lane < warps ? scratch.of_warp[lane] : identity, combine);
  __syncthreads();
  return value;
}

template <class T>
__device__ T block_sum(T value, BlockScratch<T>& scratch) {
  return block_reduce(value, combine::Sum{}, T{}, scratch);
}

/// `lowest` is what every value exceeds or equals, -infinity for floating-point numbers.
template <class T>
__device__ T block_max(T value, T lowest, BlockScratch<T>& scratch) {
  return block_reduce(value, combine::Largest{}, lowest, scratch);
}

/// Thread i gets the sum of threads 0 to i - 1, and `total` that of all. The scratch is read until the block's next
/// barrier.
template <class T>
__device__ T block_exclusive_sum(T value, T& total, BlockScratch<T>& scratch) {
  const int lane = lane_index(), warp = warp_index(), warps = threads_in_block() / warp_size;
  const T inclusive = warp_inclusive_scan(value, combine::Sum{});
  if (lane == warp_size - 1) scratch.of_warp[warp] = inclusive;
  __syncthreads();
  const T of_lane = lane < warps ? scratch.of_warp[lane] : T{};
  const T sums = warp_inclusive_scan(of_lane, combine::Sum{});
  total = shuffle(sums, warps - 1);
  const T before_warp = shuffle(sums, warp == 0 ? 0 : warp - 1);
  const T before_lane = shuffle_up(inclusive, 1);
  return (warp == 0 ? T{} : before_warp) + (lane == 0 ? T{} : before_lane);
}

}  // namespace percale::cuda
