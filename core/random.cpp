#include "random.h"

#include "autograd.h"
#include "primitives.h"

namespace percale {
namespace {

uint64_t seed = 0;
uint32_t next_call = 0;

/// The step counter of a device: an i64 in its memory, so that a replayed graph moves it on.
const Tensor& counter(Device device) {
  auto make = [](Device where) {
    Tensor value = Tensor::empty({1}, {i64, where});
    fill(value, 0);
    return new Tensor(value);
  };
  static Tensor* host = make(cpu_device);
  if (device.is_cpu()) return *host;
  static Tensor* device_counter = make(cuda_device);
  return *device_counter;
}

}  // namespace

void manual_seed(uint64_t value) {
  seed = value;
  next_call = 0;
  fill(counter(cpu_device), 0);
  if (cuda_available()) fill(counter(cuda_device), 0);
}

RandomKey next_random_key(Device device) {
  RandomKey key{.seed = seed, .call = next_call++};
  const int64_t* value = counter(device).data<int64_t>();
  if (device.is_cpu())
    key.step = static_cast<uint64_t>(*value);
  else
    key.counter = value;
  return key;
}

void begin_random_step() { next_call = 0; }

void end_random_step(Device device) {
  static Tensor* ones[2] = {};
  Tensor*& one = ones[device.is_cuda()];
  if (!one) {
    one = new Tensor(Tensor::empty({1}, {i64, device}));
    fill(*one, 1);
  }
  add_into(counter(device), *one);
}

RandomState random_state(Device device) { return {seed, counter(device).item<int64_t>(), next_call}; }

void set_random_state(Device device, const RandomState& state) {
  seed = state.seed;
  next_call = state.call;
  Tensor value = Tensor::empty({1}, {i64, cpu_device});
  *value.data<int64_t>() = state.step;
  copy(value, counter(device));
}

}  // namespace percale
