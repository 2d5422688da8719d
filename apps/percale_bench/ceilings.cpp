#include "ceilings.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/apps/percale_bench/ceilings.cpp"
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace percale::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `rounds` of twelve independent multiply-adds, enough to hide each other's latency. Returns the operations done.
double multiply_add(int64_t rounds, float* sink) {
  const hn::ScalableTag<float> tag;
  const auto factor = hn::Set(tag, 0.999f), addend = hn::Set(tag, 0.001f);
  auto a = hn::Set(tag, 1.f), b = hn::Set(tag, 2.f), c = hn::Set(tag, 3.f), d = hn::Set(tag, 4.f),
       e = hn::Set(tag, 5.f), f = hn::Set(tag, 6.f);
  auto g = hn::Set(tag, 7.f), h = hn::Set(tag, 8.f), i = hn::Set(tag, 9.f), j = hn::Set(tag, 10.f),
       k = hn::Set(tag, 11.f), l = hn::Set(tag, 12.f);
  for (int64_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, factor, addend), b = hn::MulAdd(b, factor, addend), c = hn::MulAdd(c, factor, addend);
    d = hn::MulAdd(d, factor, addend), e = hn::MulAdd(e, factor, addend), f = hn::MulAdd(f, factor, addend);
    g = hn::MulAdd(g, factor, addend), h = hn::MulAdd(h, factor, addend), i = hn::MulAdd(i, factor, addend);
    j = hn::MulAdd(j, factor, addend), k = hn::MulAdd(k, factor, addend), l = hn::MulAdd(l, factor, addend);
  }
  const auto sum = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, d)),
                           hn::Add(hn::Add(hn::Add(e, f), hn::Add(g, h)), hn::Add(hn::Add(i, j), hn::Add(k, l))));
  *sink = hn::GetLane(hn::SumOfLanes(tag, sum));
  return static_cast<double>(rounds) * 12 * 2 * static_cast<double>(hn::Lanes(tag));
}

void read_all(const float* data, int64_t count, float* sink) {
  const hn::ScalableTag<float> tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  auto a = hn::Zero(tag), b = hn::Zero(tag), c = hn::Zero(tag), d = hn::Zero(tag);
  for (int64_t i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
    a = hn::Add(a, hn::LoadU(tag, data + i));
    b = hn::Add(b, hn::LoadU(tag, data + i + lanes));
    c = hn::Add(c, hn::LoadU(tag, data + i + 2 * lanes));
    d = hn::Add(d, hn::LoadU(tag, data + i + 3 * lanes));
  }
  *sink = hn::GetLane(hn::SumOfLanes(tag, hn::Add(hn::Add(a, b), hn::Add(c, d))));
}

/// Past the cache, as a copy of much memory should be. `from` may be null: then zeros are written.
void stream_all(const float* from, float* to, int64_t count) {
  const hn::ScalableTag<float> tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  for (int64_t i = 0; i + lanes <= count; i += lanes)
    hn::Stream(from ? hn::LoadU(tag, from + i) : hn::Zero(tag), tag, to + i);
}

}  // namespace percale::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <vector>

#include "case.h"

namespace percale::bench {
HWY_EXPORT(multiply_add);
HWY_EXPORT(read_all);
HWY_EXPORT(stream_all);
namespace {

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double fastest(int tries, const std::function<void()>& call) {
  double best = 1e300;
  for (int i = 0; i < tries; ++i) best = std::min(best, seconds_of(call));
  return best;
}

Ceilings on_cpu() {
  const int threads = cpu::num_threads();
  std::vector<float> sinks(static_cast<size_t>(threads) * 64);
  constexpr int64_t rounds = 4'000'000;
  double done = 0;
  auto every_thread = [&](const std::function<void(int64_t)>& body) {
    cpu::parallel_for(threads, 1, [&](int64_t begin, int64_t) { body(begin); });
  };
  Ceilings ceilings;
  const double adding = fastest(7, [&] {
    every_thread([&](int64_t i) {
      const double own = HWY_DYNAMIC_DISPATCH(multiply_add)(rounds, &sinks[static_cast<size_t>(i) * 64]);
      if (i == 0) done = own * threads;
    });
  });
  ceilings.operations = done / adding;

  constexpr int64_t count = int64_t{64} << 20;
  const Tensor source = ones({count}), target = ones({count});
  const int64_t share = count / threads / 64 * 64;
  const double bytes = static_cast<double>(share * threads) * sizeof(float);
  const float* from = source.data<float>();
  float* to = target.data<float>();
  const auto stream = HWY_DYNAMIC_DISPATCH(stream_all);
  const double plain = fastest(5, [&] {
    every_thread(
        [&](int64_t i) { std::memcpy(to + i * share, from + i * share, static_cast<size_t>(share) * sizeof(float)); });
  });
  const double past_cache =
      fastest(5, [&] { every_thread([&](int64_t i) { stream(from + i * share, to + i * share, share); }); });
  ceilings.copy = 2 * bytes / std::min(plain, past_cache);
  ceilings.read = bytes / fastest(5, [&] {
                    every_thread([&](int64_t i) {
                      HWY_DYNAMIC_DISPATCH(read_all)(from + i * share, share, &sinks[static_cast<size_t>(i) * 64]);
                    });
                  });
  ceilings.write =
      bytes / fastest(5, [&] { every_thread([&](int64_t i) { stream(nullptr, to + i * share, share); }); });
  return ceilings;
}

Ceilings on_cuda(Device device) {
  const Tensor source = ones({int64_t{128} << 20}, {f32, device}), target = ones({int64_t{128} << 20}, {f32, device});
  const Timing timing = measure([&] { copy(source, target); }, device, 0.2);
  return {.copy = 2 * static_cast<double>(source.numel()) * 4 / timing.milliseconds * 1e3};
}

}  // namespace

Ceilings measure_ceilings(Device device) { return device.is_cuda() ? on_cuda(device) : on_cpu(); }

Bound bound_of(const Ceilings& ceilings, double operations, double bytes) {
  const double computing = ceilings.operations > 0 ? operations / ceilings.operations * 1e3 : 0;
  const double moving = ceilings.copy > 0 ? bytes / ceilings.copy * 1e3 : 0;
  if (computing == 0 && moving == 0) return {};
  return computing >= moving ? Bound{computing, "multiply-add"} : Bound{moving, "memory"};
}

}  // namespace percale::bench
#endif
