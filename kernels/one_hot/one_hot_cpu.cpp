#include <algorithm>
#include <cstring>

#include "../../core/cpu/threads.h"
#include "../common/convert.h"
#include "../common/index_range.h"
#include "one_hot_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/one_hot/one_hot_cpu.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `count` zero bytes, stored past the cache where whole vectors lie aligned.
void stream_zeros(uint8_t* to, size_t count) {
  const hn::ScalableTag<uint8_t> d;
  const size_t lanes = hn::Lanes(d), past = reinterpret_cast<uintptr_t>(to) % lanes;
  size_t i = std::min(count, past ? lanes - past : 0);
  std::memset(to, 0, i);
  for (; i + lanes <= count; i += lanes) hn::Stream(hn::Zero(d), d, to + i);
  std::memset(to + i, 0, count - i);
  hwy::FlushStream();
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(stream_zeros);

namespace {

/// Beyond a core's own cache, zeros are stored past it.
constexpr int64_t cached_bytes = 2 << 20, grain_bytes = 256 << 10;

}  // namespace

void one_hot(const Tensor& index, const Tensor& rows) {
  const int64_t classes = rows.size(-1), bytes = classes * static_cast<int64_t>(size_of(rows.dtype()));
  const bool streams = index.numel() * bytes > cached_bytes;
  const auto stream_zeros = HWY_DYNAMIC_DISPATCH(stream_zeros);
  visit_index("one_hot", index.dtype(), [&]<class Index>() {
    const Index* positions = index.data<Index>();
    check_range("one_hot", class_message, positions, index.shape(), classes);
    visit(rows.dtype(), [&]<class T>() {
      T* to = rows.data<T>();
      parallel_for(index.numel(), std::max<int64_t>(grain_bytes / bytes, 1), [&](int64_t begin, int64_t end) {
        auto* first = reinterpret_cast<uint8_t*>(to + begin * classes);
        const auto length = static_cast<size_t>((end - begin) * bytes);
        if (streams)
          stream_zeros(first, length);
        else
          std::memset(first, 0, length);
        for (int64_t i = begin; i < end; ++i)
          to[i * classes + static_cast<int64_t>(positions[i])] = convert_to<T>(1.0f);
      });
    });
  });
}

}  // namespace percale::cpu
#endif
