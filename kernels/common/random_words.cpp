#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/common/random_words.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "random_words.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

void philox_blocks(uint64_t seed, uint32_t call, uint64_t step, uint64_t first_block, int64_t blocks, uint32_t* words) {
  for (int64_t i = 0; i < blocks; ++i) {
    const Philox4 bits = philox(seed, first_block + static_cast<uint64_t>(i), call, step);
    std::memcpy(words + 4 * i, bits.words, sizeof(bits.words));
  }
}

#else

/// `philox` of core/philox.h over as many counters as there are 64-bit lanes. Words stand in the lower halves of lanes,
/// where MulEven reads them; what is left in the upper halves is never looked at.
void philox_blocks(uint64_t seed, uint32_t call, uint64_t step, uint64_t first_block, int64_t blocks, uint32_t* words) {
  const hn::ScalableTag<uint64_t> t;
  const hn::RepartitionToNarrow<decltype(t)> n;
  const auto lanes = static_cast<int64_t>(hn::Lanes(t));
  const auto lower = hn::Set(t, 0xffffffffu);
  const auto first_factor = hn::Set(n, 0xD2511F53u), second_factor = hn::Set(n, 0xCD9E8D57u);
  HWY_ALIGN uint64_t last[2 * HWY_MAX_BYTES / sizeof(uint64_t)];
  for (int64_t done = 0; done < blocks; done += lanes) {
    const auto block = hn::Iota(t, first_block + static_cast<uint64_t>(done));
    auto a = block, b = hn::Xor(hn::ShiftRight<32>(block), hn::Set(t, step >> 32));
    auto c = hn::Set(t, uint64_t{call}), d = hn::Set(t, step);
    auto low_key = static_cast<uint32_t>(seed), high_key = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto first = hn::MulEven(hn::BitCast(n, a), first_factor), second = hn::MulEven(hn::BitCast(n, c), second_factor);
      a = hn::Xor(hn::Xor(hn::ShiftRight<32>(second), b), hn::Set(t, uint64_t{low_key}));
      c = hn::Xor(hn::Xor(hn::ShiftRight<32>(first), d), hn::Set(t, uint64_t{high_key}));
      b = second;
      d = first;
      low_key += 0x9E3779B9u;
      high_key += 0xBB67AE85u;
    }
    const auto front = hn::Or(hn::And(a, lower), hn::ShiftLeft<32>(b));
    const auto back = hn::Or(hn::And(c, lower), hn::ShiftLeft<32>(d));
    hn::StoreInterleaved2(front, back, t, last);
    if (blocks - done >= lanes) std::memcpy(words + 4 * done, last, static_cast<size_t>(lanes) * sizeof(Philox4));
    else std::memcpy(words + 4 * done, last, static_cast<size_t>(blocks - done) * sizeof(Philox4));
  }
}

#endif

/// As normal_from_bits: what most numbers need in vectors, the tails one by one.
void normal_rows(const uint32_t* words, int64_t count, float* normals) {
  constexpr int64_t most = 512;
  int16_t tails[most];
  for (int64_t begin = 0; begin < count; begin += most) {
    const int64_t here = std::min(most, count - begin);
    const uint32_t* bits = words + begin;
    float* to = normals + begin;
    for (int64_t i = 0; i < here; ++i) to[i] = normal_center(normal_quantile(bits[i]));
    int64_t found = 0;
    for (int64_t i = 0; i < here; ++i) {
      tails[found] = static_cast<int16_t>(i);
      found += !is_normal_center(normal_quantile(bits[i]));
    }
    for (int64_t k = 0; k < found; ++k) to[tails[k]] = normal_tail(normal_quantile(bits[tails[k]]));
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(philox_blocks);
HWY_EXPORT(normal_rows);

void random_words(const RandomKey& key, uint64_t first_block, int64_t blocks, uint32_t* words) {
  HWY_DYNAMIC_DISPATCH(philox_blocks)(key.seed, key.call, key.step_now(), first_block, blocks, words);
}

void normals_of(const uint32_t* words, int64_t count, float* normals) {
  HWY_DYNAMIC_DISPATCH(normal_rows)(words, count, normals);
}

}  // namespace percale::cpu
#endif
