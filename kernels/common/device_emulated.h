// The part of device.h that the emulator supplies: CUDA's words and built-in functions, run on the CPU by
// tests/emulator, a fiber a thread.
#pragma once

#include <math.h>

#include <bit>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <source_location>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

struct uint3 {
  unsigned x = 0, y = 0, z = 0;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace percale::emulator {

using Where = std::source_location;
enum class Collective : uint8_t { sync, shuffle, ballot, match };

/// Waits for every thread of the block.
void block_barrier(Where where);
/// Waits for the lanes of `mask`, then returns what each of them gave (32 values; 0xff... for lanes outside).
const uint64_t* warp_exchange(unsigned mask, uint64_t value, Collective kind, Where where);
/// The number of threads of the block that gave a non-zero predicate, and of all threads.
unsigned block_count(bool predicate, Where where);
/// Lanes of the calling thread's warp that exist: all but at the end of a block whose size 32 does not divide.
unsigned existing_lanes();
unsigned lane();
/// The block's shared memory, filled with 0xff when the block began.
void* shared_memory(size_t bytes_needed, Where where);
void fence();
void start_copy(void* destination, const void* source, uint8_t bytes);
void commit_copies();
/// The next copy that must be done before only `groups` groups are left, or false.
bool next_copy(unsigned groups, void*& destination, const void*& source, uint8_t& bytes);
[[noreturn]] void trap(Where where);

template <class T>
uint64_t to_word(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  return word;
}

template <class T>
T from_word(uint64_t word) {
  T value;
  std::memcpy(static_cast<void*>(&value), &word, sizeof(T));
  return value;
}

}  // namespace percale::emulator

// --- barriers and warps
// -----------------------------------------------------------------------------------------------

#define PERCALE_HERE ::percale::emulator::Where where = ::percale::emulator::Where::current()

inline void __syncthreads(PERCALE_HERE) { ::percale::emulator::block_barrier(where); }
inline int __syncthreads_count(int predicate, PERCALE_HERE) {
  return static_cast<int>(::percale::emulator::block_count(predicate != 0, where));
}
inline int __syncthreads_or(int predicate, PERCALE_HERE) { return __syncthreads_count(predicate, where) != 0; }
inline int __syncthreads_and(int predicate, PERCALE_HERE) { return __syncthreads_count(predicate == 0, where) == 0; }

inline void __syncwarp(unsigned mask = 0xffffffffu, PERCALE_HERE) {
  ::percale::emulator::warp_exchange(mask, 0, ::percale::emulator::Collective::sync, where);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, PERCALE_HERE) {
  const uint64_t* values = ::percale::emulator::warp_exchange(mask, ::percale::emulator::to_word(value),
                                                              ::percale::emulator::Collective::shuffle, where);
  const int lane = static_cast<int>(::percale::emulator::lane()), first = lane & ~(width - 1);
  return ::percale::emulator::from_word<T>(values[first + (source & (width - 1))]);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, PERCALE_HERE) {
  const uint64_t* values = ::percale::emulator::warp_exchange(mask, ::percale::emulator::to_word(value),
                                                              ::percale::emulator::Collective::shuffle, where);
  const int lane = static_cast<int>(::percale::emulator::lane()), end = (lane & ~(width - 1)) + width;
  const int source = lane ^ lane_mask;
  return source < end ? ::percale::emulator::from_word<T>(values[source]) : value;
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, PERCALE_HERE) {
  const uint64_t* values = ::percale::emulator::warp_exchange(mask, ::percale::emulator::to_word(value),
                                                              ::percale::emulator::Collective::shuffle, where);
  const unsigned lane = ::percale::emulator::lane(), end = (lane & ~static_cast<unsigned>(width - 1)) + width;
  return lane + delta < end ? ::percale::emulator::from_word<T>(values[lane + delta]) : value;
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, PERCALE_HERE) {
  const uint64_t* values = ::percale::emulator::warp_exchange(mask, ::percale::emulator::to_word(value),
                                                              ::percale::emulator::Collective::shuffle, where);
  const unsigned lane = ::percale::emulator::lane(), first = lane & ~static_cast<unsigned>(width - 1);
  return lane >= first + delta ? ::percale::emulator::from_word<T>(values[lane - delta]) : value;
}

inline unsigned __ballot_sync(unsigned mask, int predicate, PERCALE_HERE) {
  const uint64_t* values =
      ::percale::emulator::warp_exchange(mask, predicate != 0, ::percale::emulator::Collective::ballot, where);
  unsigned result = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1) && values[lane] == 1) result |= 1u << lane;
  return result;
}
inline int __any_sync(unsigned mask, int predicate, PERCALE_HERE) { return __ballot_sync(mask, predicate, where) != 0; }
inline int __all_sync(unsigned mask, int predicate, PERCALE_HERE) {
  return __ballot_sync(mask, !predicate, where) == 0;
}

template <class T>
unsigned __match_any_sync(unsigned mask, T value, PERCALE_HERE) {
  const uint64_t own = ::percale::emulator::to_word(value);
  const uint64_t* values = ::percale::emulator::warp_exchange(mask, own, ::percale::emulator::Collective::match, where);
  unsigned result = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    if ((mask & ::percale::emulator::existing_lanes()) >> lane & 1 && values[lane] == own) result |= 1u << lane;
  return result;
}

inline void __threadfence() { ::percale::emulator::fence(); }
inline void __threadfence_block() { ::percale::emulator::fence(); }
[[noreturn]] inline void __trap(PERCALE_HERE) { ::percale::emulator::trap(where); }

#undef PERCALE_HERE

// --- atomics: relaxed, as CUDA's ------------------------------------------------------------------------------------

namespace percale::emulator {

template <class T, class Change>
T change_atomically(T* address, Change change) {
  using Word = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  auto* word = reinterpret_cast<Word*>(address);
  Word before = __atomic_load_n(word, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(word, &before,
                                      std::bit_cast<Word>(static_cast<T>(change(std::bit_cast<T>(before)))), false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return std::bit_cast<T>(before);
}

}  // namespace percale::emulator

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return percale::emulator::change_atomically(address, [&](T old) { return old + value; });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return percale::emulator::change_atomically(address, [&](T old) { return old < value ? value : old; });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return percale::emulator::change_atomically(address, [&](T old) { return value < old ? value : old; });
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return percale::emulator::change_atomically(address, [&](T old) { return old | value; });
}
template <class T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
  return percale::emulator::change_atomically(address, [&](T old) { return old & value; });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return percale::emulator::change_atomically(address, [&](T) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return percale::emulator::change_atomically(address, [&](T old) { return old == expected ? value : old; });
}
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return percale::emulator::change_atomically(address, [&](unsigned old) { return old >= limit ? 0u : old + 1; });
}

// --- loads, stores, bits and arithmetic -----------------------------------------------------------------------------

template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  return *address;
}
template <class T>
T __ldcg(const T* address) {
  return *address;
}
template <class T>
void __stcs(T* address, std::type_identity_t<T> value) {
  *address = value;
}
template <class T>
void __stcg(T* address, std::type_identity_t<T> value) {
  *address = value;
}

inline int __popc(unsigned bits) { return std::popcount(bits); }
inline int __popcll(unsigned long long bits) { return std::popcount(bits); }
inline int __clz(int bits) { return std::countl_zero(static_cast<unsigned>(bits)); }
inline int __clzll(long long bits) { return std::countl_zero(static_cast<unsigned long long>(bits)); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t{a} * b >> 32); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline float __expf(float value) { return expf(value); }
inline float __logf(float value) { return logf(value); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float value) { return 1.0f / value; }
inline float __fsqrt_rn(float value) { return sqrtf(value); }
inline float rsqrtf(float value) { return 1.0f / sqrtf(value); }
inline double rsqrt(double value) { return 1.0 / sqrt(value); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }

template <class T>
constexpr T min(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return b < a || a != a ? b : a;
  else
    return b < a ? b : a;
}
template <class T>
constexpr T max(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a < b || a != a ? b : a;
  else
    return a < b ? b : a;
}

namespace percale::cuda {

using index_t = int64_t;

template <class T>
T& dynamic_shared(emulator::Where where = emulator::Where::current()) {
  static_assert(alignof(T) <= 16);
  return *static_cast<T*>(emulator::shared_memory(sizeof(T), where));
}

template <class T>
T* dynamic_shared_array(emulator::Where where = emulator::Where::current()) {
  return static_cast<T*>(emulator::shared_memory(0, where));
}

template <class T>
T volatile_load(const T* address) {
  return __atomic_load_n(address, __ATOMIC_RELAXED);
}

template <class T>
void volatile_store(T* address, std::type_identity_t<T> value) {
  __atomic_store_n(address, value, __ATOMIC_RELAXED);
}

/// Copies only when it is waited for: so a missing wait shows.
template <int bytes>
void async_copy(void* shared, const void* global) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  if (reinterpret_cast<uintptr_t>(shared) % bytes != 0 || reinterpret_cast<uintptr_t>(global) % bytes != 0)
    emulator::trap(emulator::Where::current());
  emulator::start_copy(shared, global, bytes);
}
inline void async_commit() { emulator::commit_copies(); }
template <int groups>
void async_wait() {
  void* destination;
  const void* source;
  uint8_t bytes;
  while (emulator::next_copy(groups, destination, source, bytes)) std::memcpy(destination, source, bytes);
}

}  // namespace percale::cuda
