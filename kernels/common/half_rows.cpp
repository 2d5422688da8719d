#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/common/half_rows.cpp"
#include "half_rows.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>

#include "bfloat16_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The processor converts f16 from AVX2 on; before that its bits are taken apart one number at a time.
constexpr bool converts_half = HWY_TARGET <= HWY_AVX2 && HWY_ARCH_X86;

void floats_of_half(const half* from, float* to, size_t count) {
  size_t i = 0;
  if constexpr (converts_half) {
    const hn::ScalableTag<float> t;
    const hn::Rebind<hwy::float16_t, decltype(t)> narrow;
    const auto* words = reinterpret_cast<const hwy::float16_t*>(from);
    for (; i + hn::Lanes(t) <= count; i += hn::Lanes(t))
      hn::StoreU(hn::PromoteTo(t, hn::LoadU(narrow, words + i)), t, to + i);
  }
  for (; i < count; ++i) to[i] = from[i];
}

void half_of_floats(const float* from, half* to, size_t count) {
  size_t i = 0;
  if constexpr (converts_half) {
    const hn::ScalableTag<float> t;
    const hn::Rebind<hwy::float16_t, decltype(t)> narrow;
    auto* words = reinterpret_cast<hwy::float16_t*>(to);
    // The processor keeps a NaN's bits; ours are all the one NaN.
    const auto quiet = hn::Set(t, std::bit_cast<float>(0x7fc00000u));
    for (; i + hn::Lanes(t) <= count; i += hn::Lanes(t)) {
      const auto value = hn::LoadU(t, from + i);
      const auto kept = hn::IfThenElse(hn::IsNaN(value), hn::CopySign(quiet, value), value);
      hn::StoreU(hn::DemoteTo(narrow, kept), narrow, words + i);
    }
  }
  for (; i < count; ++i) to[i] = half(from[i]);
}

void floats_of_bfloat16(const bfloat16* from, float* to, size_t count) {
  const hn::ScalableTag<float> t;
  size_t i = 0;
  for (; i + hn::Lanes(t) <= count; i += hn::Lanes(t)) hn::StoreU(simd::load_wide(t, from + i), t, to + i);
  for (; i < count; ++i) to[i] = from[i];
}

void bfloat16_of_floats(const float* from, bfloat16* to, size_t count) {
  const hn::ScalableTag<float> t;
  size_t i = 0;
  for (; i + hn::Lanes(t) <= count; i += hn::Lanes(t)) simd::store_narrow(hn::LoadU(t, from + i), t, to + i);
  for (; i < count; ++i) to[i] = bfloat16(from[i]);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(floats_of_half);
HWY_EXPORT(half_of_floats);
HWY_EXPORT(floats_of_bfloat16);
HWY_EXPORT(bfloat16_of_floats);

void floats_of(const half* from, float* to, size_t count) { HWY_DYNAMIC_DISPATCH(floats_of_half)(from, to, count); }
void floats_of(const bfloat16* from, float* to, size_t count) {
  HWY_DYNAMIC_DISPATCH(floats_of_bfloat16)(from, to, count);
}
void rounded_floats(const float* from, half* to, size_t count) {
  HWY_DYNAMIC_DISPATCH(half_of_floats)(from, to, count);
}
void rounded_floats(const float* from, bfloat16* to, size_t count) {
  HWY_DYNAMIC_DISPATCH(bfloat16_of_floats)(from, to, count);
}

}  // namespace percale::cpu
#endif
