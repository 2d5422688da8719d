// The emulator against kernels whose results, or whose faults, are known.
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "../../core/error.h"
#include "../../kernels/common/device.h"
#include "../testing/message_of.h"
#include "emulator.h"

namespace percale::cuda {
namespace {

using percale::testing::message_of;

/// Device memory that holds `values`, for the length of a test.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values)
      : count_(values.size()), memory_(static_cast<T*>(allocate_device(values.size() * sizeof(T)))) {
    copy_async(memory_, values.data(), count_ * sizeof(T), CopyKind::host_to_device, current_stream());
  }
  explicit OnDevice(size_t count) : OnDevice(std::vector<T>(count)) {}
  ~OnDevice() { free_device(memory_); }
  OnDevice(const OnDevice&) = delete;

  operator T*() const { return memory_; }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    copy_async(values.data(), memory_, count_ * sizeof(T), CopyKind::device_to_host, current_stream());
    synchronize(current_stream());
    return values;
  }

 private:
  size_t count_;
  T* memory_;
};

/// Runs each test in three orders of blocks and threads.
class Orders : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { emulator::set_order(emulator::parse_order(GetParam())); }
  void TearDown() override { emulator::set_order({}); }
};
INSTANTIATE_TEST_SUITE_P(Emulator, Orders, ::testing::Values("forward", "reverse", "shuffled:1", "shuffled:2"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, ':');
                           return name;
                         });

struct ReduceShared {
  BlockScratch<int64_t> sums;
  BlockScratch<Found<float>> found;
};

__global__ void reduce_kernel(const int64_t* in, int64_t* sums, int64_t* scans, int64_t* largest) {
  ReduceShared& shared = dynamic_shared<ReduceShared>();
  const int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t sum = block_sum(in[at], shared.sums);
  int64_t total = 0;
  scans[at] = block_exclusive_sum(in[at], total, shared.sums);
  const Found<float> first = block_reduce(Found<float>{static_cast<float>(in[at] % 7), at}, combine::FirstLargest{},
                                          Found<float>{-1.0f, at}, shared.found);
  if (threadIdx.x == 0) {
    sums[blockIdx.x] = sum == total ? sum : -1;
    largest[blockIdx.x] = first.index;
  }
}

TEST_P(Orders, ReduceAndScan) {
  constexpr int blocks = 5, threads = 96;
  std::vector<int64_t> values(blocks * threads);
  std::iota(values.begin(), values.end(), 1);
  const OnDevice<int64_t> in(values), sums(blocks), largest(blocks), scans(blocks * threads);
  launch(reduce_kernel, blocks, threads, sizeof(ReduceShared), current_stream(), in, sums, scans, largest);
  const auto read_sums = sums.read(), read_scans = scans.read(), read_largest = largest.read();
  for (int block = 0; block < blocks; ++block) {
    int64_t running = 0, first = -1;
    for (int i = block * threads; i < (block + 1) * threads; ++i) {
      EXPECT_EQ(read_scans[i], running);
      running += values[i];
      if (first < 0 && values[i] % 7 == 6) first = i;
    }
    EXPECT_EQ(read_sums[block], running);
    EXPECT_EQ(read_largest[block], first);
  }
}

__global__ void warp_kernel(int* out) {
  const int lane = lane_index();
  out[threadIdx.x] = warp_max(lane ^ 5) * 1000 + warp_sum<8>(lane) + shuffle(lane * 100, 3);
  const unsigned odd = __ballot_sync(full_mask, lane % 2);
  if (odd != 0xaaaaaaaau) out[threadIdx.x] = -1;
  if (lane < 16) {  // the two halves go separate ways and meet again
    if (__shfl_down_sync(0xffffu, lane, 1, 16) != (lane < 15 ? lane + 1 : 15)) out[threadIdx.x] = -2;
  } else {
    if (__shfl_up_sync(0xffff0000u, lane, 1, 16) != (lane > 16 ? lane - 1 : 16)) out[threadIdx.x] = -3;
  }
  __syncwarp();
  if (__match_any_sync(full_mask, lane / 8) != 0xffu << (lane / 8 * 8)) out[threadIdx.x] = -4;
}

TEST_P(Orders, WarpOperations) {
  const OnDevice<int> out(64);
  launch(warp_kernel, 1, 64, 0, current_stream(), out);
  const auto result = out.read();
  for (int i = 0; i < 64; ++i) {
    const int first = i % 32 / 8 * 8, sum = 8 * first + 28;
    EXPECT_EQ(result[i], 31000 + sum + 300);
  }
}

struct ExchangeShared {
  int value[64];
};

template <bool with_barrier>
__global__ void exchange_kernel(int* out) {
  ExchangeShared& shared = dynamic_shared<ExchangeShared>();
  shared.value[threadIdx.x] = static_cast<int>(threadIdx.x);
  if constexpr (with_barrier) __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = shared.value[63 - threadIdx.x];
}

TEST_P(Orders, SharedMemoryStartsPoisoned) {
  const OnDevice<int> out(3 * 64);
  launch(exchange_kernel<true>, 3, 64, sizeof(ExchangeShared), current_stream(), out);
  auto result = out.read();
  for (int i = 0; i < 3 * 64; ++i) EXPECT_EQ(result[i], 63 - i % 64);
#if !__has_feature(thread_sanitizer)  // a race, which TSan reports
  launch(exchange_kernel<false>, 3, 64, sizeof(ExchangeShared), current_stream(), out);
  result = out.read();
  EXPECT_NE(std::count(result.begin(), result.end(), -1), 0);
#endif
}

struct CopyShared {
  alignas(16) float values[128];
};

template <bool with_wait>
__global__ void copy_kernel(const float* in, float* out) {
  CopyShared& shared = dynamic_shared<CopyShared>();
  async_copy<16>(&shared.values[threadIdx.x * 4], in + threadIdx.x * 4);
  async_commit();
  if constexpr (with_wait) async_wait<0>();
  __syncthreads();
  for (unsigned i = threadIdx.x; i < 128; i += blockDim.x) out[i] = shared.values[i];
}

TEST_P(Orders, AsyncCopiesHappenWhenWaitedFor) {
  std::vector<float> values(128);
  std::iota(values.begin(), values.end(), 0.0f);
  const OnDevice<float> in(values), out(values);
  launch(copy_kernel<true>, 1, 32, sizeof(CopyShared), current_stream(), in, out);
  EXPECT_EQ(out.read(), values);
  launch(copy_kernel<false>, 1, 32, sizeof(CopyShared), current_stream(), in, out);
  EXPECT_NE(out.read(), values);
}

__global__ void some_wait_kernel(int* out) {
  if (threadIdx.x < 32) __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void two_barriers_kernel(int* out) {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void half_warp_kernel(int* out) {
  if (threadIdx.x % 32 < 16) out[threadIdx.x] = warp_sum(1);
}
__global__ void too_much_shared_kernel(int* out) { out[0] = dynamic_shared<ExchangeShared>().value[0]; }

TEST_P(Orders, DivergenceIsAnErrorThatNamesThePlace) {
  const OnDevice<int> out(64);
  auto run = [&](void (*kernel)(int*)) {
    return message_of([&] {
      launch(kernel, 1, 64, 0, current_stream(), out);
      synchronize(current_stream());
    });
  };
  std::string message = run(some_wait_kernel);
  EXPECT_NE(message.find("divergent barrier"), std::string::npos) << message;
  EXPECT_NE(message.find("scheduler_test.cpp:"), std::string::npos) << message;
  EXPECT_NE(message.find("32 threads have returned"), std::string::npos) << message;
  EXPECT_NE(run(two_barriers_kernel).find("divergent barrier"), std::string::npos);
  message = run(half_warp_kernel);
  EXPECT_NE(message.find("wait in the warp operation"), std::string::npos) << message;
  EXPECT_NE(run(too_much_shared_kernel).find("bytes of shared memory"), std::string::npos);
  launch(warp_kernel, 1, 64, 0, current_stream(), out);  // and the emulator goes on
  EXPECT_EQ(out.read()[0], 31000 + 28 + 300);
}

__global__ void last_block_kernel(const int* in, int* partial, unsigned* tickets, int* out) {
  BlockScratch<int>& scratch = dynamic_shared<BlockScratch<int>>();
  const int sum = block_sum(in[blockIdx.x * blockDim.x + threadIdx.x], scratch);
  bool last = false;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sum;
    __threadfence();
    last = atomicAdd(tickets, 1u) == gridDim.x - 1;
  }
  if (__syncthreads_or(last)) {
    __threadfence();
    if (threadIdx.x == 0) {
      int total = 0;
      for (unsigned block = 0; block < gridDim.x; ++block) total += partial[block];
      out[0] = total;
    }
  }
}

TEST_P(Orders, TheLastBlockSeesWhatTheOthersWrote) {
  const OnDevice<int> in(std::vector<int>(7 * 64, 3)), partial(7), out(1);
  const OnDevice<unsigned> tickets(1);
  launch(last_block_kernel, 7, 64, sizeof(BlockScratch<int>), current_stream(), in, partial, tickets, out);
  EXPECT_EQ(out.read()[0], 7 * 64 * 3);
}

__global__ void count_kernel(int* out, index_t count) {
  for (index_t i : grid_stride(count)) atomicAdd(out + i % 3, 1);
}

TEST_P(Orders, NoBarrierCostsOneSwitchABlock) {
  const OnDevice<int> out(3);
  const auto before = emulator::counts();
  launch(count_kernel, 10, 256, 0, current_stream(), out, 3000);
  EXPECT_EQ(out.read(), std::vector<int>(3, 1000));
  EXPECT_EQ(emulator::counts().launches - before.launches, 1u);
  EXPECT_EQ(emulator::counts().threads - before.threads, 2560u);
#if !__has_feature(thread_sanitizer)
  EXPECT_LE(emulator::counts().switches - before.switches, 10u);
#endif
}

// What a GPU refuses: the grid's y and z end at 65,535, and its x must not wrap around on the way there.
TEST(Launch, GridThatIsTooLargeIsRefused) {
  const OnDevice<int> out(3);
  const auto refused = [&](LaunchedGrid grid) {
    return message_of([&] { launch(count_kernel, grid, 1, 0, current_stream(), out, 3); });
  };
  EXPECT_NE(refused(dim3(1, 65536)).find("the grid is too large"), std::string::npos);
  EXPECT_NE(refused(dim3(1, 1, 65536)).find("the grid is too large"), std::string::npos);
  EXPECT_NE(refused(dim3(0x80000000u)).find("the grid is too large"), std::string::npos);
  EXPECT_NE(message_of([] { Extents(int64_t{1} << 32); }).find("more than 2,147,483,647 blocks"), std::string::npos);
  EXPECT_EQ(out.read(), std::vector<int>(3));
}

__global__ void layout_kernel(const float* in, float* out, StridedLayout<2> layout) {
  for (index_t i : grid_stride(layout.count)) {
    const auto at = layout.offsets(i);
    out[at[1]] = in[at[0]];
  }
}

TEST_P(Orders, StridedLayoutTransposes) {
  std::vector<float> values(4 * 5 * 6);
  std::iota(values.begin(), values.end(), 0.0f);
  const OnDevice<float> in(values), out(values.size());
  const Shape shape{4, 5, 6};
  launch(layout_kernel, 2, 32, 0, current_stream(), in, out, strided_layout(shape, Shape{30, 6, 1}, Shape{1, 4, 20}));
  const auto result = out.read();
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 5; ++j)
      for (int k = 0; k < 6; ++k) EXPECT_EQ(result[i + 4 * j + 20 * k], values[30 * i + 6 * j + k]);
  EXPECT_TRUE(strided_layout(shape, Shape{30, 6, 1}, Shape{30, 6, 1}).contiguous);
  EXPECT_EQ(strided_layout(shape, Shape{30, 6, 1}, Shape{0, 6, 1}).rank, 2);
}

}  // namespace
}  // namespace percale::cuda
