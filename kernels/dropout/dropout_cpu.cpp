#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/dropout/dropout_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "../common/half_rows.h"
#include "../common/random_words.h"
#include "../common/strided.h"
#include "dropout_twins.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

/// Half of the comparisons go either way: vectors, for a branch would be mispredicted as often.
template <class T>
HWY_INLINE void mask_row(const T* x, const uint32_t* bits, uint32_t threshold, T scale, T* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T scaled = x[i] * scale;
    out[i] = bits[i] >= threshold ? scaled : T(0);
  }
}

void mask_floats(const float* x, const uint32_t* bits, uint32_t threshold, float scale, float* out, int64_t count) {
  mask_row(x, bits, threshold, scale, out, count);
}
void mask_doubles(const double* x, const uint32_t* bits, uint32_t threshold, double scale, double* out, int64_t count) {
  mask_row(x, bits, threshold, scale, out, count);
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(mask_floats);
HWY_EXPORT(mask_doubles);

namespace {

constexpr int64_t grain = 16384;
constexpr int64_t batch = 1024;  ///< elements whose bits are drawn at once; a multiple of 4

template <class T>
void mask(const T* x, const uint32_t* bits, uint32_t threshold, compute_t<T> scale, T* out, int64_t count) {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(mask_floats)(x, bits, threshold, scale, out, count);
  } else if constexpr (std::is_same_v<T, double>) {
    HWY_DYNAMIC_DISPATCH(mask_doubles)(x, bits, threshold, scale, out, count);
  } else {
    float row[batch];
    floats_of(x, row, static_cast<size_t>(count));
    HWY_DYNAMIC_DISPATCH(mask_floats)(row, bits, threshold, scale, row, count);
    rounded_floats(row, out, static_cast<size_t>(count));
  }
}

/// In another order than the bits: drawn one by one.
template <class T>
void mask_scattered(const Tensor& x, const RandomKey& key, uint32_t threshold, compute_t<T> scale, const Tensor& out) {
  const auto walk = strided_walk<3>(out.shape(), {out.strides(), x.strides(), contiguous_strides(out.shape())});
  const uint64_t step = key.step_now();
  const T* from = x.data<T>();
  T* to = out.data<T>();
  for_each_row(walk, grain, [&](auto offsets, auto steps, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const bool kept = random_bits(key, step, offsets[2] + i * steps[2]) >= threshold;
      const auto value = static_cast<compute_t<T>>(from[offsets[1] + i * steps[1]]);
      to[offsets[0] + i * steps[0]] = static_cast<T>(kept ? value * scale : compute_t<T>(0));
    }
  });
}

}  // namespace

void dropout(const Tensor& x, const RandomKey& key, uint32_t threshold, double scale, const Tensor& out) {
  visit_floating("dropout", x.dtype(), [&]<class T>() {
    const auto factor = static_cast<compute_t<T>>(scale);
    if (!x.is_contiguous() || !out.is_contiguous()) return mask_scattered<T>(x, key, threshold, factor, out);
    parallel_for(x.numel(), grain, [&](int64_t begin, int64_t end) {
      uint32_t bits[batch];
      for (int64_t at = begin; at < end; at += batch) {
        const int64_t count = std::min(batch, end - at);
        random_words(key, static_cast<uint64_t>(at / 4), (count + 3) / 4, bits);
        mask(x.data<T>() + at, bits, threshold, factor, out.data<T>() + at, count);
      }
    });
  });
}

}  // namespace percale::cpu
#endif
