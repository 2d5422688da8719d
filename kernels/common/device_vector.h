// Several neighbouring elements as one value, moved by one wide load or store. Part of device.h.
#pragma once

namespace percale::cuda {

/// `count` elements whose address is a multiple of their size together (a power of two, 16 bytes at most to be one
/// load).
template <class T, int count>
struct alignas(sizeof(T) * count) Vector {
  T elements[count];

  PERCALE_HOST_DEVICE T& operator[](int i) { return elements[i]; }
  PERCALE_HOST_DEVICE const T& operator[](int i) const { return elements[i]; }
};

/// The number of elements of type T in 16 bytes.
template <class T>
inline constexpr int wide = static_cast<int>(16 / sizeof(T));

/// Whether `count` elements at `address` can be moved as one Vector.
template <int count, class T>
PERCALE_HOST_DEVICE inline bool is_aligned(const T* address) {
  return reinterpret_cast<uintptr_t>(address) % (sizeof(T) * count) == 0;
}

/// The widest Vector (16 bytes or less) that fits every address and divides `extent`: 1 if none does.
template <class T, class... Addresses>
int widest_vector(int64_t extent, const Addresses*... addresses) {
  int count = wide<T>;
  auto fits = [&](const void* address) { return reinterpret_cast<uintptr_t>(address) % (sizeof(T) * count) == 0; };
  while (count > 1 && !(extent % count == 0 && (fits(addresses) && ...))) count /= 2;
  return count;
}

/// Calls `body.operator()<vector>()` with `wide` elements if that fits every address and divides `extent`, else with 1.
template <class T, class Body, class... Addresses>
void with_vector(int64_t extent, Body body, const Addresses*... addresses) {
  if (widest_vector<T>(extent, addresses...) == wide<T>)
    body.template operator()<wide<T>>();
  else
    body.template operator()<1>();
}

template <int count, class T>
__device__ Vector<T, count> load_vector(const T* address) {
  return *reinterpret_cast<const Vector<T, count>*>(address);
}

template <class T, int count>
__device__ void store_vector(T* address, const Vector<T, count>& value) {
  *reinterpret_cast<Vector<T, count>*>(address) = value;
}

/// Each element converted: `convert_to<float>(vector_of_half)`.
template <class To, class From, int count>
__device__ Vector<To, count> convert_to(const Vector<From, count>& from) {
  Vector<To, count> to;
#pragma unroll
  for (int i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
  return to;
}

}  // namespace percale::cuda
