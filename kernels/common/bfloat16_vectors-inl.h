// Vectors of floats from memory of bfloat16 and to it, rounded as core/half.h does. For a `_cpu.cpp` file, after
// <hwy/highway.h>.
#if defined(PERCALE_BFLOAT16_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_BFLOAT16_VECTORS_INL_H
#undef PERCALE_BFLOAT16_VECTORS_INL_H
#else
#define PERCALE_BFLOAT16_VECTORS_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "../../core/half.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace simd {

template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_wide(D t, const T* from) {
  return hn::LoadU(t, from);
}
template <class D>
HWY_INLINE hn::Vec<D> load_wide(D t, const bfloat16* from) {
  const hn::RebindToUnsigned<D> bits;
  const hn::Rebind<uint16_t, D> narrow;
  const auto word = hn::PromoteTo(bits, hn::LoadU(narrow, reinterpret_cast<const uint16_t*>(from)));
  return hn::BitCast(t, hn::ShiftLeft<16>(word));
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_narrow(hn::Vec<D> value, D t, T* to) {
  hn::StoreU(value, t, to);
}
template <class D>
HWY_INLINE void store_narrow(hn::Vec<D> value, D, bfloat16* to) {
  const hn::RebindToUnsigned<D> bits;
  const hn::Rebind<uint16_t, D> narrow;
  const hn::Rebind<int32_t, D> whole;
  const auto word = hn::BitCast(bits, value), upper = hn::ShiftRight<16>(word);
  const auto odd = hn::And(upper, hn::Set(bits, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(word, hn::Add(odd, hn::Set(bits, 0x7fffu))));
  const auto quiet = hn::Or(upper, hn::Set(bits, 0x40u));
  const auto kept = hn::IfThenElse(hn::RebindMask(bits, hn::IsNaN(value)), quiet, rounded);
  hn::StoreU(hn::DemoteTo(narrow, hn::BitCast(whole, kept)), narrow, reinterpret_cast<uint16_t*>(to));
}

}  // namespace simd
}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
