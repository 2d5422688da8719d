// Ranges as a profiler sees them: through NVTX's injection interface, which needs no GPU, and on the built-in timeline.
#include "../../core/trace.h"

#include <gtest/gtest.h>

#include "../../core/autograd.h"
#include "../../kernels/fill/fill.h"
#include "../testing/pushed_ranges.h"

namespace percale {
namespace {

#ifdef PERCALE_INJECTION
using testing::pushed_ranges;

TEST(Trace, ProfilersSeeOneRangeAnOperationAndItsGradientByNumber) {
  ASSERT_TRUE(testing::injected);
  const Tensor x = ones({3}).requires_grad_();
  const size_t before = pushed_ranges().size();
  const Tensor y = x.to(f64);
  y.backward(ones({3}, {f64, cpu_device}));
  std::vector<std::string> ranges = pushed_ranges();
  ranges.erase(ranges.begin(), ranges.begin() + static_cast<int64_t>(before));
  ASSERT_GE(ranges.size(), 4u);
  EXPECT_EQ(ranges[0], "percale::cast");
  EXPECT_EQ(ranges[1], "percale::full");
  EXPECT_EQ(ranges[2], "percale::backward");
  EXPECT_EQ(ranges[3].find("percale::ToCopyBackward0.backward#"), 0u) << ranges[3];
  EXPECT_EQ(testing::open_ranges(), 0);
}
#endif

TEST(Trace, TimelineHoldsTheSameRanges) {
  start_timeline();
  {
    const TraceRange range("step");
    const Tensor x = zeros({3});
    x.fill_(2);
  }
  const std::vector<TraceEvent> events = stop_timeline();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].name, "step");
  EXPECT_EQ(events[1].name, "percale::full");
  EXPECT_EQ(events[2].name, "percale::fill_");
  EXPECT_LE(events[0].begin, events[1].begin);
  EXPECT_GE(events[0].end, events[2].end);
  EXPECT_NE(timeline_table(events).find("percale::fill_"), std::string::npos);
  zeros({3});
  EXPECT_TRUE(stop_timeline().empty());
}

}  // namespace
}  // namespace percale
