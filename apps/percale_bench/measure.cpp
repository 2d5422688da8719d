#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "case.h"

#if PERCALE_HAS_CUDA
#include <percale/core/cuda/runtime.h>
#endif

namespace percale::bench {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int64_t page_faults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

void wait_for([[maybe_unused]] Device device) {
#if PERCALE_HAS_CUDA
  if (device.is_cuda()) cuda::synchronize(cuda::current_stream());
#endif
}

/// Calls until a stretch of five calls and half of `seconds` has asked the system for no memory; twenty stretches at
/// most. Beside busy neighbours all parts of the first calls may run on one thread: a second one asks for its workspace
/// later.
void settle(const std::function<void()>& call, Device device, double seconds) {
  for (int stretch = 0; stretch < 20; ++stretch) {
    const int64_t before = memory_stats(device).system_allocations;
    const Clock::time_point begin = Clock::now();
    for (int calls = 0; calls < 5 || milliseconds_since(begin) < seconds * 500; ++calls) {
      call();
      wait_for(device);
    }
    if (memory_stats(device).system_allocations == before) return;
  }
}

}  // namespace

Timing measure(const std::function<void()>& call, Device device, double seconds) {
  const int calls_at_once = device.is_cuda() ? 10 : 1;
  constexpr size_t least = 5;
  std::vector<double> times;
  times.reserve(1 << 20);
  std::fill_n(std::back_inserter(times), times.capacity(), 0.0);  // so that no page of it is new below
  times.clear();
  settle(call, device, seconds);
  const int64_t faults = page_faults(), allocations = memory_stats(device).system_allocations;
  const Clock::time_point begin = Clock::now();
  while (times.size() < times.capacity() && (times.size() < least || milliseconds_since(begin) < seconds * 1e3)) {
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < calls_at_once; ++i) call();
    wait_for(device);
    times.push_back(milliseconds_since(start) / calls_at_once);
  }
  Timing timing;
  timing.calls = static_cast<int64_t>(times.size()) * calls_at_once;
  timing.page_faults = static_cast<double>(page_faults() - faults) / static_cast<double>(timing.calls);
  timing.system_allocations =
      static_cast<double>(memory_stats(device).system_allocations - allocations) / static_cast<double>(timing.calls);
  const auto middle = times.begin() + static_cast<int64_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  timing.milliseconds = *middle;
  return timing;
}

}  // namespace percale::bench
