// What tests ask of the emulator: the order of blocks and threads, deferred streams, and what it has counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "../../core/cuda/runtime.h"

namespace percale::emulator {

/// In which order blocks, and threads within a block, run between barriers.
struct Order {
  enum Kind { forward, reverse, shuffled } kind = forward;
  uint64_t seed = 0;
};

/// From `forward`, `reverse` or `shuffled:SEED`; an error for anything else.
Order parse_order(const std::string& text);
/// The order of launches from now on; at first it is what PERCALE_EMULATOR_ORDER says, else forward.
void set_order(Order order);

/// While true, streams keep what they are given until something waits for them. At first true if
/// PERCALE_EMULATOR_STREAM is `deferred`.
void set_deferred(bool deferred);

/// The device has `bytes` from now on, those in use included: what would be more is refused as by a full GPU.
void set_device_memory(size_t bytes);
/// While true, the stand-ins of cuDNN and cuBLASLt leave bias and ReLU to the caller, as the libraries may.
void set_refuses_fusion(bool refuses);
bool refuses_fusion();

struct Counts {
  uint64_t launches = 0, threads = 0, switches = 0;
};
/// Since the start of the process.
Counts counts();

/// Throws, naming the allocation, if bytes around any live device allocation were written.
void check_guards();
/// Gives `work` to the stream: run now, kept until it is waited for, or recorded.
void enqueue_work(cuda::Stream stream, std::function<void()> work);

}  // namespace percale::emulator
