// How kernels are started, and how a loop over elements is spread over a grid. Part of device.h.
#pragma once

#include <algorithm>
#include <type_traits>

#if !defined(__CUDACC__)
#include <functional>
#include <tuple>
#endif

namespace percale::cuda {

/// The extents of a grid or block: a number, or up to three. Empty ones launch nothing.
struct Extents {
  dim3 value;

  template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  Extents(T x) : value(fitting(static_cast<int64_t>(x))) {}
  Extents(dim3 value) : value(value) {}
  bool empty() const { return value.x == 0 || value.y == 0 || value.z == 0; }

  /// What a grid's x can be; its y and z end at 65,535.
  static unsigned fitting(int64_t x) {
    if (x < 0 || x > 0x7fffffff) fail_launch("it would take more than 2,147,483,647 blocks");
    return static_cast<unsigned>(x);
  }
};

/// Enough blocks of `threads` for `count` elements, `per_thread` each, but never more than keep the device busy: the
/// kernel loops with grid_stride.
inline unsigned blocks_for(int64_t count, int threads = 256, int per_thread = 1) {
  const int64_t each = static_cast<int64_t>(threads) * per_thread;
  return static_cast<unsigned>(std::min<int64_t>((count + each - 1) / each, int64_t{16} * multiprocessor_count()));
}

#if defined(__CUDACC__)

inline void check_launch(cudaError_t status) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that the next call does not report it again
  fail_launch(cudaGetErrorString(status));
}

/// Starts `kernel` on `stream` with the arguments converted to its parameters' types.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), Extents grid, Extents block, size_t shared_bytes, Stream stream,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "the kernel has another number of parameters");
  if (grid.empty() || block.empty()) return;
  if (shared_bytes > 48 * 1024) {  // beyond that a kernel must be told
    const auto told =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
    check_launch(told);
  }
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = grid.value;
  configuration.blockDim = block.value;
  configuration.dynamicSmemBytes = shared_bytes;
  configuration.stream = reinterpret_cast<cudaStream_t>(stream);
  check_launch(cudaLaunchKernelEx(&configuration, kernel, static_cast<Parameters>(arguments)...));
}

#else

/// The grid of a launch, and the line that starts it: what the emulator's messages name.
struct LaunchedGrid : Extents {
  std::source_location where;

  template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  LaunchedGrid(T x, std::source_location where = std::source_location::current()) : Extents(x), where(where) {}
  LaunchedGrid(dim3 value, std::source_location where = std::source_location::current())
      : Extents(value), where(where) {}
};

}  // namespace percale::cuda

namespace percale::emulator {

struct Launch {
  dim3 grid, block;
  size_t shared_bytes;
  Where where;
  std::function<void()> body;  ///< one thread of the kernel, with its arguments
};

/// Runs the kernel, or keeps it for the graph that is captured or until the stream is waited for.
void enqueue(cuda::Stream stream, Launch launch);

}  // namespace percale::emulator

namespace percale::cuda {

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), LaunchedGrid grid, Extents block, size_t shared_bytes, Stream stream,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "the kernel has another number of parameters");
  if (grid.empty() || block.empty()) return;
  emulator::enqueue(stream, {grid.value, block.value, shared_bytes, grid.where,
                             [kernel, values = std::tuple<std::remove_cv_t<Parameters>...>(
                                          static_cast<Parameters>(arguments)...)] { std::apply(kernel, values); }});
}

#endif

/// `for (index_t i : grid_stride(count))` visits this thread's share of 0 to count - 1 in a one-dimensional grid.
class GridStride {
 public:
  struct Iterator {
    index_t index, step;
    __device__ index_t operator*() const { return index; }
    __device__ void operator++() { index += step; }
    __device__ bool operator!=(index_t end) const { return index < end; }
  };

  __device__ explicit GridStride(index_t count) : count_(count) {}
  __device__ Iterator begin() const {
    return {static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x, static_cast<index_t>(gridDim.x) * blockDim.x};
  }
  __device__ index_t end() const { return count_; }

 private:
  index_t count_;
};

__device__ inline GridStride grid_stride(index_t count) { return GridStride(count); }

}  // namespace percale::cuda
