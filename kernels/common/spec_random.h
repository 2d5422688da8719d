// What specs ask of the random state.
#pragma once

#include "../../core/random.h"

namespace percale {

/// The largest chance of being dropped at which the next random operation keeps its element 0: with a 2^32th more, that
/// is dropped.
inline double chance_just_kept() {
  RandomKey key = next_random_key(cpu_device);
  ++key.call;
  return random_bits(key, key.step, 0) * 0x1p-32;
}

}  // namespace percale
