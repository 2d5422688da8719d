// The part of device.h that stands on CUDA itself: shared memory, async copies, loads that others' writes may change.
#pragma once

#include <cuda_runtime.h>

namespace percale::cuda {

using index_t = int64_t;

/// The block's shared memory as one struct. Launch with `sizeof(T)` shared bytes. Its values are undefined at first.
template <class T>
__device__ __forceinline__ T& dynamic_shared() {
  extern __shared__ __align__(16) unsigned char percale_shared_memory[];
  static_assert(alignof(T) <= 16);
  return *reinterpret_cast<T*>(percale_shared_memory);
}

/// The block's shared memory as an array whose length the launch decides.
template <class T>
__device__ __forceinline__ T* dynamic_shared_array() {
  return &dynamic_shared<T>();
}

/// Reads memory that other threads may be writing.
template <class T>
__device__ __forceinline__ T volatile_load(const T* address) {
  return *static_cast<const volatile T*>(address);
}

/// Writes memory that other threads may be reading.
template <class T>
__device__ __forceinline__ void volatile_store(T* address, T value) {
  *static_cast<volatile T*>(address) = value;
}

/// Starts copying `bytes` (4, 8 or 16, and so aligned) from global to shared memory. Order: async_copy...,
/// async_commit, async_wait, then a barrier before other threads read. Before sm_80 it copies at once.
template <int bytes>
__device__ __forceinline__ void async_copy(void* shared, const void* global) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
#if __CUDA_ARCH__ >= 800
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address), "l"(global), "n"(bytes) : "memory");
#else
  if constexpr (bytes == 16)
    *static_cast<uint4*>(shared) = *static_cast<const uint4*>(global);
  else if constexpr (bytes == 8)
    *static_cast<uint2*>(shared) = *static_cast<const uint2*>(global);
  else
    *static_cast<unsigned*>(shared) = *static_cast<const unsigned*>(global);
#endif
}

/// Closes a group of async copies.
__device__ __forceinline__ void async_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits until at most `groups` of this thread's groups are under way.
template <int groups>
__device__ __forceinline__ void async_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
#endif
}

}  // namespace percale::cuda
