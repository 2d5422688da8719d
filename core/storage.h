// The memory behind tensors: one block, shared by every view of it, with a count of the writes to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "allocator.h"

namespace percale {

class Storage;

/// While it lives, notes what this thread's operations do that a replay of them must account for.
class StepLog {
 public:
  StepLog() : previous_(current()) { current() = this; }
  ~StepLog() { current() = previous_; }
  StepLog(const StepLog&) = delete;

  static StepLog*& current() {
    thread_local StepLog* log = nullptr;
    return log;
  }

  std::vector<std::weak_ptr<Storage>> written;       ///< by in-place operations, an entry a write
  std::vector<std::weak_ptr<Storage>> read_rounded;  ///< whose copies in bf16 were read (core/rounded_copy.h)

 private:
  StepLog* previous_;
};

/// A block of memory on a device. Views share it; it goes back to its pool when the last of them is gone.
class Storage : public std::enable_shared_from_this<Storage> {
 public:
  /// `bytes` from the current pool of `device`, uninitialised.
  Storage(size_t bytes, Device device)
      : pool_(current_pool(device)), data_(pool_->allocate(bytes)), bytes_(bytes), device_(device) {}
  /// Foreign memory; `deleter` is called with it at the end.
  Storage(void* data, size_t bytes, Device device, std::function<void(void*)> deleter)
      : deleter_(std::move(deleter)), data_(data), bytes_(bytes), device_(device) {}
  ~Storage() {
    if (pool_)
      pool_->release(data_, bytes_);
    else if (deleter_)
      deleter_(data_);
  }
  Storage(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  /// Grows with every write through any view: how autograd notices that a saved value has changed.
  uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  /// The operation that wrote last, or null.
  const char* writer() const { return writer_; }
  void mark_written(const char* operation) {
    version_.fetch_add(1, std::memory_order_relaxed);
    writer_ = operation;
    if (StepLog* log = StepLog::current()) log->written.push_back(weak_from_this());
  }

  /// The elements in bf16, if anything has asked for them (core/rounded_copy.h), and the version that they belong to.
  std::shared_ptr<Storage> rounded;
  uint64_t rounded_version = 0;
  bool has_rounded() const { return rounded && rounded_version == version(); }

 private:
  std::shared_ptr<MemoryPool> pool_;
  std::function<void(void*)> deleter_;
  void* data_;
  size_t bytes_;
  Device device_;
  std::atomic<uint64_t> version_{0};
  const char* writer_ = nullptr;
};

}  // namespace percale
