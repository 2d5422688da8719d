#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/common/random_words.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "random_words.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {

/// `philox` of core/philox.h, a round at a time over `lanes` counters: loops that the compiler makes vectors of.
void philox_blocks(uint64_t seed, uint32_t call, uint64_t step, uint64_t first_block, int64_t blocks, uint32_t* words) {
  constexpr int64_t lanes = 32;
  alignas(64) uint32_t a[lanes], b[lanes], c[lanes], d[lanes];
  for (int64_t done = 0; done < blocks; done += lanes) {
    for (int64_t i = 0; i < lanes; ++i) {
      const uint64_t block = first_block + static_cast<uint64_t>(done + i);
      a[i] = static_cast<uint32_t>(block);
      b[i] = static_cast<uint32_t>(block >> 32) ^ static_cast<uint32_t>(step >> 32);
      c[i] = call;
      d[i] = static_cast<uint32_t>(step);
    }
    uint32_t low_key = static_cast<uint32_t>(seed), high_key = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      for (int64_t i = 0; i < lanes; ++i) {
        const uint64_t first = uint64_t{0xD2511F53u} * a[i], second = uint64_t{0xCD9E8D57u} * c[i];
        a[i] = static_cast<uint32_t>(second >> 32) ^ b[i] ^ low_key;
        b[i] = static_cast<uint32_t>(second);
        c[i] = static_cast<uint32_t>(first >> 32) ^ d[i] ^ high_key;
        d[i] = static_cast<uint32_t>(first);
      }
      low_key += 0x9E3779B9u;
      high_key += 0xBB67AE85u;
    }
    for (int64_t i = 0; i < std::min(lanes, blocks - done); ++i) {
      uint32_t* to = words + 4 * (done + i);
      to[0] = a[i], to[1] = b[i], to[2] = c[i], to[3] = d[i];
    }
  }
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(philox_blocks);

void random_words(const RandomKey& key, uint64_t first_block, int64_t blocks, uint32_t* words) {
  HWY_DYNAMIC_DISPATCH(philox_blocks)(key.seed, key.call, key.step_now(), first_block, blocks, words);
}

}  // namespace percale::cpu
#endif
