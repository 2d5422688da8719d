// The pool of device memory where streams, graphs and a full device meet.
#include <gtest/gtest.h>

#include "../../core/allocator.h"
#include "../../core/cuda/runtime.h"
#include "../../core/tensor.h"
#include "../testing/message_of.h"
#include "emulator.h"

namespace percale {
namespace {

using testing::message_of;

/// A stream that this thread's work goes to, for the length of a test.
class OwnStream {
 public:
  OwnStream() : stream_(cuda::create_stream()) { cuda::set_current_stream(stream_); }
  ~OwnStream() {
    cuda::set_current_stream(nullptr);
    cuda::destroy_stream(stream_);
  }
  OwnStream(const OwnStream&) = delete;
  operator cuda::Stream() const { return stream_; }

 private:
  cuda::Stream stream_;
};

TEST(DeviceMemory, BlockServesItsStreamAlone) {
  const auto address = [] { return Tensor::empty({1000}, {f32, cuda_device}).data(); };
  const OwnStream first;
  const void* block = address();
  {
    const OwnStream second;  // the first one may still read the block
    EXPECT_NE(address(), block);
    cuda::set_current_stream(first);
    EXPECT_EQ(address(), block);
  }
  empty_cache(cuda_device);
}

/// The device holds `more` bytes beside what it holds now.
class FullDevice {
 public:
  explicit FullDevice(size_t more) : before_(cuda::memory_info()) {
    emulator::set_device_memory(before_.total_bytes - before_.free_bytes + more);
  }
  ~FullDevice() { emulator::set_device_memory(before_.total_bytes); }
  FullDevice(const FullDevice&) = delete;

 private:
  cuda::MemoryInfo before_;
};

TEST(DeviceMemory, CachedBlocksMakeRoom) {
  MemoryPool pool(cuda_device);
  const FullDevice full(4096);
  pool.release(pool.allocate(3000), 3000);
  void* block = pool.allocate(3500);
  EXPECT_EQ(pool.stats().reserved_bytes, 3500);
  const std::string message = message_of([&] { pool.allocate(1000); });
  EXPECT_NE(message.find("out of memory on cuda:0: 1000 bytes asked for"), std::string::npos) << message;
  pool.release(block, 3500);
}

// What is recorded reads and writes blocks that are cached by now: they stay until the pool goes.
TEST(DeviceMemory, CapturedBlocksOutliveAFullDevice) {
  MemoryPool pool(cuda_device);
  const OwnStream stream;
  const FullDevice full(4096);
  cuda::begin_capture(stream);
  void* block = pool.allocate(3000);
  cuda::fill_async(block, 7, 3000, stream);
  pool.release(block, 3000);
  EXPECT_NE(message_of([&] { pool.allocate(3500); }).find("out of memory on cuda"), std::string::npos);
  EXPECT_EQ(pool.stats().reserved_bytes, 3000);
  const cuda::Graph graph = cuda::end_capture(stream);
  const cuda::Executable executable = cuda::instantiate(graph);
  cuda::launch_graph(executable, stream);
  uint8_t last = 0;
  cuda::copy_async(&last, static_cast<uint8_t*>(block) + 2999, 1, cuda::CopyKind::device_to_host, stream);
  EXPECT_EQ(last, 7);
  cuda::destroy_executable(executable);
  cuda::destroy_graph(graph);
}

}  // namespace
}  // namespace percale
