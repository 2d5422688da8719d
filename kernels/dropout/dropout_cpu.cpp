#include <algorithm>

#include "../common/convert.h"
#include "../common/random_words.h"
#include "../common/strided.h"
#include "dropout_twins.h"

namespace percale::cpu {
namespace {

constexpr int64_t grain = 16384;
constexpr int64_t batch = 1024;  ///< elements whose bits are drawn at once; a multiple of 4

template <class T>
void mask(const T* x, const uint32_t* bits, uint32_t threshold, compute_t<T> scale, T* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const compute_t<T> scaled = static_cast<compute_t<T>>(x[i]) * scale;
    out[i] = bits[i] >= threshold ? convert_to<T>(scaled) : T(0);
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
      const uint32_t bits = random_bits(key, step, offsets[2] + i * steps[2]);
      mask(from + offsets[1] + i * steps[1], &bits, threshold, scale, to + offsets[0] + i * steps[0], 1);
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
