// Caching memory pools: what a tensor gives back, the next one of its size takes, without asking the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device.h"

namespace percale {

/// What a device's pools hold, in bytes and counts.
struct MemoryStats {
  int64_t live_bytes = 0;          ///< in tensors now, rounded up to their block's size
  int64_t peak_bytes = 0;          ///< the most that `live_bytes` has been
  int64_t reserved_bytes = 0;      ///< taken from the system: live and cached
  int64_t live_blocks = 0;         ///< blocks in tensors now
  int64_t system_allocations = 0;  ///< times the system was asked, since the start
};

/// A pool of blocks on one device. Blocks come in eight sizes a doubling, so that a request is met exactly or with at
/// most an eighth to spare, and a steady loop never reaches the system. Safe to call from many threads.
class MemoryPool {
 public:
  explicit MemoryPool(Device device) : device_(device) {}
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;

  /// A block of at least `bytes`, aligned to 64 bytes (CUDA: 256). For want of memory cached blocks are given up first,
  /// but not during a graph's capture, which may name them. Error that says what holds the memory if there is none.
  void* allocate(size_t bytes);
  /// Gives back what `allocate(bytes)` gave.
  void release(void* block, size_t bytes);
  /// Returns every cached block to the system.
  void release_cached();

  Device device() const { return device_; }
  MemoryStats stats() const;

 private:
  Device device_;
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> cached_;
  MemoryStats stats_;
};

/// Where this thread's tensors on `device` come from now: the device's own pool (CUDA: the stream's) or a PoolGuard's.
std::shared_ptr<MemoryPool> current_pool(Device device);

/// While it lives, this thread's tensors on the pool's device come from `pool`.
class PoolGuard {
 public:
  explicit PoolGuard(std::shared_ptr<MemoryPool> pool);
  ~PoolGuard();
  PoolGuard(const PoolGuard&) = delete;

 private:
  std::shared_ptr<MemoryPool> previous_;
};

/// The sums over all pools of a device.
MemoryStats memory_stats(Device device);
/// Returns the cached blocks of `device`'s own pools to the system.
void empty_cache(Device device);

}  // namespace percale
