// What a profiler sees: a range for each public operation, on NVTX and on the built-in timeline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace percale {

/// A named range from here to the end of the scope: the first line of each public operation.
/// Shown as `percale::name`; a gradient as `percale::name.backward#17` with its forward's sequence number.
class Operation {
 public:
  explicit Operation(const char* name);
  /// The gradient of operation number `sequence`, whose grad_fn is `name`.
  Operation(const char* name, uint64_t sequence);
  ~Operation();
  Operation(const Operation&) = delete;

 private:
  int64_t begin_ = -1;
  const char* name_;
  uint64_t sequence_ = 0;
};

/// A range of the program's own (a step, an epoch, data loading), named at run time.
class TraceRange {
 public:
  explicit TraceRange(const std::string& name);
  ~TraceRange();
  TraceRange(const TraceRange&) = delete;

 private:
  int64_t begin_ = -1;
  std::string name_;
};

/// One finished range of the timeline. Times in nanoseconds since the timeline began.
struct TraceEvent {
  std::string name;
  int64_t begin = 0, end = 0;
  int thread = 0;
};

/// Starts and stops keeping the timeline (off at first: a range then costs one branch).
void start_timeline();
std::vector<TraceEvent> stop_timeline();
/// Writes `events` as Chrome trace JSON, which Perfetto opens. Written whole or not at all.
void write_timeline(const std::string& path, const std::vector<TraceEvent>& events);
/// The table of `--profile-table`: calls, total and mean time an operation, longest first.
std::string timeline_table(const std::vector<TraceEvent>& events);

}  // namespace percale
