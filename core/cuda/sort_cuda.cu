#include <cub/device/device_radix_sort.cuh>

#include "../error.h"
#include "sort.h"

namespace percale::cuda {
namespace {

cudaError_t sort(void* workspace, size_t& bytes, const uint32_t* keys, uint32_t* sorted_keys, const uint32_t* values,
                 uint32_t* sorted_values, int64_t count, int bits, Stream stream) {
  return cub::DeviceRadixSort::SortPairs(workspace, bytes, keys, sorted_keys, values, sorted_values, count, 0, bits,
                                         reinterpret_cast<cudaStream_t>(stream));
}

void check(cudaError_t status) {
  if (status != cudaSuccess) fail("sort", "{}", {cudaGetErrorString(status)});
}

}  // namespace

size_t sort_workspace(int64_t count, int bits) {
  size_t bytes = 0;
  check(sort(nullptr, bytes, nullptr, nullptr, nullptr, nullptr, count, bits, nullptr));
  return bytes;
}

void sort_pairs(const uint32_t* keys, uint32_t* sorted_keys, const uint32_t* values, uint32_t* sorted_values,
                int64_t count, int bits, void* workspace, Stream stream) {
  size_t bytes = sort_workspace(count, bits);
  check(sort(workspace, bytes, keys, sorted_keys, values, sorted_values, count, bits, stream));
}

}  // namespace percale::cuda
