#include "allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "cuda/runtime.h"
#include "error.h"

namespace percale {
namespace {

constexpr size_t huge_page = size_t{2} << 20;

/// The size of the block that serves `bytes`: eight steps a doubling, at least 64. On the emulator it is `bytes`, so
/// that the guard bytes of its device stand right behind what was asked for, scratch memory of a kernel included.
size_t block_size(Device device, size_t bytes) {
  if (PERCALE_EMULATOR && device.is_cuda()) return bytes;
  if (bytes <= 64) return 64;
  const size_t step = std::max<size_t>(std::bit_floor(bytes - 1) / 8, 64);
  return (bytes + step - 1) / step * step;
}

/// Large blocks start on a huge page: a training step then meets few page faults and TLB misses.
void* system_allocate(Device device, size_t bytes) {
  if (device.is_cuda()) {
    if constexpr (has_cuda) return cuda::allocate_device(bytes);
  }
  const size_t alignment = bytes >= huge_page ? huge_page : 64;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded);
  if (block && alignment == huge_page) madvise(block, rounded, MADV_HUGEPAGE);
  return block;
}

void system_release(Device device, void* block) {
  if (device.is_cuda()) {
    if constexpr (has_cuda) cuda::free_device(block);
    return;
  }
  std::free(block);
}

bool is_capturing(Device device) {
  if constexpr (has_cuda) return device.is_cuda() && cuda::is_capturing(cuda::current_stream());
  return false;
}

struct Registry {
  std::mutex mutex;
  std::vector<std::weak_ptr<MemoryPool>> pools;

  std::shared_ptr<MemoryPool> enroll(std::shared_ptr<MemoryPool> pool) {
    const std::lock_guard lock(mutex);
    std::erase_if(pools, [&](const auto& entry) { return entry.expired() || entry.lock() == pool; });
    pools.push_back(pool);
    return pool;
  }
};

/// Never destroyed: tensors in static storage may outlive every other static.
Registry& registry() {
  static auto* instance = new Registry;
  return *instance;
}

const std::shared_ptr<MemoryPool>& host_pool() {
  static auto* pool = new auto(registry().enroll(std::make_shared<MemoryPool>(cpu_device)));
  return *pool;
}

/// CUDA's own pools, one a stream: what goes back to it may still be read by kernels of that stream, and only work of
/// the same stream comes after them. (What another stream does with a tensor must be waited for before it goes.)
struct StreamPools {
  std::mutex mutex;
  std::map<const void*, std::shared_ptr<MemoryPool>> by_stream;
};

StreamPools& stream_pools() {
  static auto* pools = new StreamPools;
  return *pools;
}

std::shared_ptr<MemoryPool> own_pool(Device device) {
  if constexpr (has_cuda) {
    if (device.is_cuda()) {
      const void* stream = cuda::current_stream();
      const std::lock_guard lock(stream_pools().mutex);
      auto& pool = stream_pools().by_stream[stream];
      if (!pool) pool = registry().enroll(std::make_shared<MemoryPool>(device));
      return pool;
    }
  }
  return host_pool();
}

thread_local std::shared_ptr<MemoryPool> guarded_pool;

}  // namespace

MemoryPool::~MemoryPool() { release_cached(); }

void* MemoryPool::allocate(size_t bytes) {
  const size_t size = block_size(device_, bytes);
  std::unique_lock lock(mutex_);
  void* block = nullptr;
  if (auto bin = cached_.find(size); bin != cached_.end() && !bin->second.empty()) {
    block = bin->second.back();
    bin->second.pop_back();
  } else {
    block = system_allocate(device_, size);
    if (!block && !is_capturing(device_)) {
      lock.unlock();
      release_cached();
      empty_cache(device_);
      lock.lock();
      block = system_allocate(device_, size);
    }
    require(block != nullptr, "allocate",
            "out of memory on {}: {} bytes asked for, {} bytes held by {} live tensors and buffers of this pool",
            device_, size, stats_.live_bytes, stats_.live_blocks);
    stats_.reserved_bytes += static_cast<int64_t>(size);
    ++stats_.system_allocations;
  }
  stats_.live_bytes += static_cast<int64_t>(size);
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
  ++stats_.live_blocks;
  return block;
}

void MemoryPool::release(void* block, size_t bytes) {
  const size_t size = block_size(device_, bytes);
  const std::lock_guard lock(mutex_);
  cached_[size].push_back(block);
  stats_.live_bytes -= static_cast<int64_t>(size);
  --stats_.live_blocks;
}

void MemoryPool::release_cached() {
  const std::lock_guard lock(mutex_);
  for (auto& [size, blocks] : cached_) {
    for (void* block : blocks) system_release(device_, block);
    stats_.reserved_bytes -= static_cast<int64_t>(size * blocks.size());
  }
  cached_.clear();
}

MemoryStats MemoryPool::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::shared_ptr<MemoryPool> current_pool(Device device) {
  if (guarded_pool && guarded_pool->device() == device) return guarded_pool;
  return own_pool(device);
}

PoolGuard::PoolGuard(std::shared_ptr<MemoryPool> pool) : previous_(guarded_pool) {
  guarded_pool = registry().enroll(std::move(pool));
}

PoolGuard::~PoolGuard() { guarded_pool = previous_; }

MemoryStats memory_stats(Device device) {
  MemoryStats total;
  const std::lock_guard lock(registry().mutex);
  for (const auto& entry : registry().pools) {
    const auto pool = entry.lock();
    if (!pool || pool->device() != device) continue;
    const MemoryStats stats = pool->stats();
    total.live_bytes += stats.live_bytes;
    total.peak_bytes += stats.peak_bytes;
    total.reserved_bytes += stats.reserved_bytes;
    total.live_blocks += stats.live_blocks;
    total.system_allocations += stats.system_allocations;
  }
  return total;
}

void empty_cache(Device device) {
  if (device.is_cpu()) return host_pool()->release_cached();
  std::vector<std::shared_ptr<MemoryPool>> pools;
  {
    const std::lock_guard lock(stream_pools().mutex);
    for (const auto& [stream, pool] : stream_pools().by_stream) pools.push_back(pool);
  }
  for (const auto& pool : pools) pool->release_cached();
}

}  // namespace percale
