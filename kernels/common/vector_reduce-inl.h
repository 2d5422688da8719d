// How a row of numbers becomes one with SIMD: by lanes whose number no instruction set changes.
// For a `_cpu.cpp` file, as vector_math-inl.h.
#if defined(PERCALE_VECTOR_REDUCE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_VECTOR_REDUCE_INL_H
#undef PERCALE_VECTOR_REDUCE_INL_H
#else
#define PERCALE_VECTOR_REDUCE_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace simd {

/// `more` where `better` or `more` is NaN, else `old`. Not Ne(more, more): Highway 1.0.3 has that false for NaN on x86.
template <class V, class Mask>
HWY_INLINE V taken(Mask better, V more, V old) {
  if constexpr (hwy::IsFloat<hn::TFromV<V>>())
    return hn::IfThenElse(hn::Or(better, hn::IsNaN(more)), more, old);
  else
    return hn::IfThenElse(better, more, old);
}

/// How two values become one, as vectors and as numbers; `identity` changes nothing.
struct Sum {
  template <class T>
  static constexpr T identity() {
    return T(0);
  }
  template <class V>
  static HWY_INLINE V of_vectors(V total, V more) {
    return hn::Add(total, more);
  }
  template <class T>
  static HWY_INLINE T of(T total, T more) {
    return total + more;
  }
};
struct Largest {  // NaN once met stays
  template <class T>
  static constexpr T identity() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
  }
  template <class V>
  static HWY_INLINE V of_vectors(V largest, V more) {
    return taken(hn::Gt(more, largest), more, largest);
  }
  template <class T>
  static HWY_INLINE T of(T largest, T more) {
    return more > largest || more != more ? more : largest;
  }
};
struct Smallest {
  template <class T>
  static constexpr T identity() {
    return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  }
  template <class V>
  static HWY_INLINE V of_vectors(V smallest, V more) {
    return taken(hn::Lt(more, smallest), more, smallest);
  }
  template <class T>
  static HWY_INLINE T of(T smallest, T more) {
    return more < smallest || more != more ? more : smallest;
  }
};

/// The lanes that elements go to by their position: 256 bytes' worth, enough to keep any processor's adders busy.
template <class T>
constexpr int64_t row_lanes = 256 / sizeof(T);

/// Lanes in pairs, those in pairs again, ...; only the first `count` hold anything but the identity.
template <class Combine, class T>
HWY_INLINE T fold_lanes(T* lanes, int64_t count) {
  int64_t half = row_lanes<T> / 2;
  while (half >= count && half > 0) half /= 2;
  for (; half > 0; half /= 2)
    for (int64_t k = 0; k < half; ++k) lanes[k] = Combine::of(lanes[k], lanes[k + half]);
  return lanes[0];
}

/// body(t, in[0][i], in[1][i]) for `count` elements, combined, and written to `out` if that is not null: a sum of at
/// most 4096 elements has no more than 64 in a lane, longer ones go on in f64. `out` may be one of the inputs.
template <class Combine, int operands, class Body>
HWY_INLINE double map_reduce(const float* const* in, float* out, int64_t count, Body body) {
  constexpr int64_t own = row_lanes<float>, block = 64 * own;
  const hn::CappedTag<float, 16> t;
  constexpr int64_t width = hn::MaxLanes(t), vectors = own / width;
  const auto identity = hn::Set(t, Combine::template identity<float>());
  auto at = [&](const float* a, const float* b) HWY_ATTR { return body(t, hn::LoadU(t, a), hn::LoadU(t, b)); };
  double total = Combine::template identity<double>();
  for (int64_t begin = 0; begin < count; begin += block) {
    const int64_t length = std::min(block, count - begin);
    const float *a = in[0] + begin, *b = in[operands - 1] + begin;
    float* to = out ? out + begin : nullptr;
    hn::Vec<decltype(t)> totals[vectors];
    for (int64_t k = 0; k < vectors; ++k) totals[k] = identity;
    int64_t i = 0;
    for (; i + own <= length; i += own) {
      for (int64_t k = 0; k < vectors; ++k) {
        const auto value = at(a + i + k * width, b + i + k * width);
        if (to) hn::StoreU(value, t, to + i + k * width);
        totals[k] = Combine::of_vectors(totals[k], value);
      }
    }
    HWY_ALIGN float lanes[own];
    for (int64_t k = 0; k < vectors; ++k) hn::Store(totals[k], t, lanes + k * width);
    for (float* lane = lanes; i < length; i += width, lane += width) {
      const int64_t left = std::min(width, length - i);
      HWY_ALIGN float last[2][width] = {}, result[width];
      std::copy_n(a + i, left, last[0]);
      std::copy_n(b + i, left, last[1]);
      const auto value = at(last[0], last[1]);
      if (to) {
        hn::Store(value, t, result);
        std::copy_n(result, left, to + i);
      }
      const auto valid = hn::IfThenElse(hn::FirstN(t, static_cast<size_t>(left)), value, identity);
      hn::Store(Combine::of_vectors(hn::Load(t, lane), valid), t, lane);
    }
    total = Combine::of(total, static_cast<double>(fold_lanes<Combine>(lanes, length)));
  }
  return total;
}

/// Calls `body(t, i)` for `count` neighbours, a vector of them at a time and the last ones each.
template <class Body>
HWY_INLINE void for_lanes(int64_t count, Body body) {
  const hn::CappedTag<float, 16> all;
  const hn::CappedTag<float, 1> one;
  constexpr int64_t width = hn::MaxLanes(all);
  int64_t i = 0;
  for (; i + width <= count; i += width) body(all, i);
  for (; i < count; ++i) body(one, i);
}

/// Rows too short for vectors of their own are stood side by side, `tile_width` of them: element k of row r at
/// k * tile_width + r. What no row fills is zero.
constexpr int64_t tile_width = 64, tile_height = 32;

inline void stand_up(const float* rows, int64_t count, int64_t length, float* tile) {
  if (count < tile_width) std::fill_n(tile, length * tile_width, 0.0f);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t k = 0; k < length; ++k) tile[k * tile_width + r] = rows[r * length + k];
}

inline void lay_down(const float* tile, int64_t count, int64_t length, float* rows) {
  for (int64_t r = 0; r < count; ++r)
    for (int64_t k = 0; k < length; ++k) rows[r * length + k] = tile[k * tile_width + r];
}

}  // namespace simd
}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
