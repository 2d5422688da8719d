// How kernels report a bad index and hold back after one (core/cuda/error_word.h says what becomes of it). Part of
// device.h.
#pragma once

namespace percale::cuda {

/// True if an earlier kernel of the stream met an error. A kernel that writes lasting state asks this first, in every
/// thread, and does nothing if so. Not for a kernel that itself reports: its threads would disagree.
__device__ inline bool has_error(const ErrorRecord* record) {
  return volatile_load(&record->operation) != ErrorRecord::no_error;
}

/// Records that `value`, found at `position` (row-major) of the index tensor, is not in 0 to bound - 1. The earliest
/// operation wins, in it the lowest position, whatever the order of threads.
__device__ inline void report_bad_index(const ErrorReporter& reporter, int64_t position, int64_t value, int64_t bound) {
  ErrorRecord* record = reporter.record;
  const uint64_t earliest = volatile_load(&record->operation);
  if (earliest < reporter.operation) return;
  if (earliest == reporter.operation) {  // the position was written before the operation
    __threadfence();
    if (volatile_load(&record->position) <= position) return;
  }
  for (bool done = false; !done;) {
    if (atomicCAS(&record->lock, ErrorRecord::unlocked, 0u) != ErrorRecord::unlocked) continue;
    __threadfence();
    const uint64_t operation = volatile_load(&record->operation);
    if (reporter.operation < operation ||
        (reporter.operation == operation && position < volatile_load(&record->position))) {
      record->value = value;
      record->bound = bound;
      for (int dim = 0; dim < reporter.rank; ++dim) record->extents[dim] = reporter.extents[dim];
      record->rank = reporter.rank;
      record->site = reporter.site;
      volatile_store(&record->position, position);
      __threadfence();
      volatile_store(&record->operation, reporter.operation);
    }
    __threadfence();
    atomicExch(&record->lock, ErrorRecord::unlocked);
    done = true;
  }
}

/// `value` if it is in 0 to bound - 1; else it is reported, and 0 is read in its place.
__device__ inline int64_t checked_index(const ErrorReporter& reporter, int64_t position, int64_t value, int64_t bound) {
  if (value >= 0 && value < bound) return value;
  report_bad_index(reporter, position, value, bound);
  return 0;
}

}  // namespace percale::cuda
