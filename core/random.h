// The random state of the process: a seed, a step counter on each device, and the number of the call within the step.
#pragma once

#include <cstdint>

#include "device.h"
#include "philox.h"

namespace percale {

/// The same seed gives the same numbers, on every device and number of threads. Resets the step and call numbers.
void manual_seed(uint64_t seed);

/// The key of the next random operation on `device`: what the operation keeps to draw the same numbers again.
RandomKey next_random_key(Device device);

/// A training step begins: calls are counted from 0 again. Called by captured steps.
void begin_random_step();
/// The step is over: the counter on `device` moves on (in the order of its stream).
void end_random_step(Device device);

/// What a checkpoint keeps to go on with the same numbers.
struct RandomState {
  uint64_t seed = 0;
  int64_t step = 0;
  uint32_t call = 0;
};
RandomState random_state(Device device);
void set_random_state(Device device, const RandomState& state);

}  // namespace percale
