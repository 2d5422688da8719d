// The k first elements of rows by sorting them whole: for a k so large that looking for one after the other takes
// longer. After device.h, in a `_cuda.cu` file.
//
// A radix sort is stable, so pairs of a word of the element and its place are sorted by the element's words, the lowest
// first, and by the row at last. Words are made so that they ascend as elements come.
#pragma once

#include <bit>
#include <type_traits>
#include <utility>

#include "../../core/cuda/sort.h"
#include "../../core/tensor.h"
#include "../common/device.h"

namespace percale::cuda {

/// How many words of 32 bits an element's order takes.
template <class T>
inline constexpr int order_words = sizeof(T) > 4 ? 2 : 1;

/// An unsigned number that ascends as elements do: both zeros have the same one, all NaN the largest.
template <class T>
__device__ auto order_of(T element) {
  using A = compute_t<T>;
  using Bits = std::conditional_t<sizeof(A) == 8, uint64_t, uint32_t>;
  constexpr Bits sign = Bits{1} << (8 * sizeof(Bits) - 1);
  const A value = static_cast<A>(element);
  if constexpr (std::is_integral_v<A>)
    return static_cast<Bits>(value) ^ sign;
  else {
    if (value != value) return ~Bits{0};
    Bits bits;
    const A without_sign_of_zero = value == A(0) ? A(0) : value;
    memcpy(&bits, &without_sign_of_zero, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
  }
}

/// keys[i] is word `word` of the element at places[i] (at i, where `places` is null); `places_out` gets the places.
template <class T>
__global__ void order_keys_kernel(const T* x, const uint32_t* places, uint32_t* keys, uint32_t* places_out,
                                  index_t count, int word, bool largest) {
  for (index_t i : grid_stride(count)) {
    const uint32_t place = places ? places[i] : static_cast<uint32_t>(i);
    const auto ascending = order_of(x[place]), order = largest ? ~ascending : ascending;
    keys[i] = static_cast<uint32_t>(order >> (32 * word));
    places_out[i] = place;
  }
}

__global__ inline void row_keys_kernel(const uint32_t* places, uint32_t* keys, uint32_t* places_out, index_t count,
                                       index_t length) {
  for (index_t i : grid_stride(count)) {
    keys[i] = static_cast<uint32_t>(places[i] / length);
    places_out[i] = places[i];
  }
}

template <class T>
__global__ void take_first_kernel(const T* x, const uint32_t* places, T* values, int64_t* index, index_t count,
                                  index_t length, index_t k) {
  for (index_t i : grid_stride(count)) {
    const index_t row = i / k, place = places[row * length + i % k];
    values[i] = x[place];
    index[i] = place - row * length;
  }
}

/// Of x [rows, length] with fewer than 2^32 elements; memory for four words an element and the sort's own.
template <class T>
void top_k_by_sorting(const Tensor& x, bool largest, const Tensor& values, const Tensor& index) {
  const int64_t rows = x.size(0), length = x.size(1), count = x.numel();
  const int row_bits = std::bit_width(static_cast<uint64_t>(rows - 1));
  const Tensor memory = Tensor::empty({4, count}, {i32, x.device()});
  const Tensor workspace = Tensor::empty({static_cast<int64_t>(sort_workspace(count, 32))}, {u8, x.device()});
  auto words = [&](int64_t row) { return reinterpret_cast<uint32_t*>(memory[row].data<int32_t>()); };
  uint32_t *keys = words(0), *places = words(1), *sorted_keys = words(2), *sorted = words(3);
  const Stream stream = current_stream();
  for (int word = 0; word < order_words<compute_t<T>>; ++word) {
    const uint32_t* before = word ? sorted : nullptr;
    launch(order_keys_kernel<T>, blocks_for(count), 256, 0, stream, x.data<T>(), before, keys, places, count, word,
           largest);
    sort_pairs(keys, sorted_keys, places, sorted, count, 32, workspace.data(), stream);
  }
  if (rows > 1) {
    launch(row_keys_kernel, blocks_for(count), 256, 0, stream, sorted, keys, places, count, length);
    sort_pairs(keys, sorted_keys, places, sorted, count, row_bits, workspace.data(), stream);
  }
  launch(take_first_kernel<T>, blocks_for(index.numel()), 256, 0, stream, x.data<T>(), sorted, values.data<T>(),
         index.data<int64_t>(), index.numel(), length, index.size(1));
}

}  // namespace percale::cuda
