#include "trace.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "error.h"
#include "io/file.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define PERCALE_NVTX 1
#else
#define PERCALE_NVTX 0
#endif

namespace percale {
namespace {

std::atomic<bool> timeline_on{false};
std::mutex timeline_mutex;
std::vector<TraceEvent> timeline;
int64_t timeline_start = 0;

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int thread_number() {
  static std::atomic<int> next{0};
  thread_local const int number = next++;
  return number;
}

/// Profilers announce themselves in the environment: without one, no range is named or pushed.
bool profiled() {
  static const bool listening = PERCALE_NVTX && std::getenv("NVTX_INJECTION64_PATH") != nullptr;
  return listening;
}

void push_range([[maybe_unused]] const char* name) {
#if PERCALE_NVTX
  nvtxRangePushA(name);
#endif
}

void pop_range() {
#if PERCALE_NVTX
  nvtxRangePop();
#endif
}

std::string range_name(const char* name, uint64_t sequence) {
  std::string result = std::string("percale::") + name;
  if (sequence) result += ".backward#" + std::to_string(sequence);
  return result;
}

int64_t open_range() { return timeline_on.load(std::memory_order_relaxed) ? now() : -1; }

void close_range(int64_t begin, std::string name) {
  const std::lock_guard lock(timeline_mutex);
  timeline.push_back({std::move(name), begin - timeline_start, now() - timeline_start, thread_number()});
}

}  // namespace

Operation::Operation(const char* name) : Operation(name, 0) {}

Operation::Operation(const char* name, uint64_t sequence) : begin_(open_range()), name_(name), sequence_(sequence) {
  if (profiled()) push_range(range_name(name, sequence).c_str());
}

Operation::~Operation() {
  if (profiled()) pop_range();
  if (begin_ >= 0) close_range(begin_, range_name(name_, sequence_));
}

TraceRange::TraceRange(const std::string& name) : begin_(open_range()), name_(name) {
  if (profiled()) push_range(name_.c_str());
}

TraceRange::~TraceRange() {
  if (profiled()) pop_range();
  if (begin_ >= 0) close_range(begin_, std::move(name_));
}

void start_timeline() {
  const std::lock_guard lock(timeline_mutex);
  timeline.clear();
  timeline_start = now();
  timeline_on = true;
}

std::vector<TraceEvent> stop_timeline() {
  const std::lock_guard lock(timeline_mutex);
  timeline_on = false;
  std::vector<TraceEvent> events = std::move(timeline);
  timeline.clear();
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return events;
}

void write_timeline(const std::string& path, const std::vector<TraceEvent>& events) {
  std::string json = "{\"traceEvents\":[";
  char line[512];
  for (size_t i = 0; i < events.size(); ++i) {
    const TraceEvent& event = events[i];
    std::snprintf(line, sizeof line, "%s\n{\"name\":\"%s\",\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f}",
                  i ? "," : "", event.name.c_str(), event.thread, static_cast<double>(event.begin) / 1e3,
                  static_cast<double>(event.end - event.begin) / 1e3);
    json += line;
  }
  json += "\n],\"displayTimeUnit\":\"ms\"}\n";
  io::write_file(path, json);
}

std::string timeline_table(const std::vector<TraceEvent>& events) {
  struct Row {
    std::string name;
    int64_t calls = 0, total = 0;
  };
  std::map<std::string, Row> rows;
  for (const TraceEvent& event : events) {
    const std::string name = event.name.substr(0, event.name.find('#'));
    Row& row = rows[name];
    row.name = name;
    ++row.calls;
    row.total += event.end - event.begin;
  }
  std::vector<Row> sorted;
  for (auto& [name, row] : rows) sorted.push_back(row);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Row& a, const Row& b) { return a.total > b.total; });
  char line[256];
  std::snprintf(line, sizeof line, "%-48s %10s %12s %12s\n", "operation", "calls", "total ms", "mean us");
  std::string table = line;
  for (const Row& row : sorted) {
    std::snprintf(line, sizeof line, "%-48s %10lld %12.3f %12.2f\n", row.name.c_str(),
                  static_cast<long long>(row.calls), static_cast<double>(row.total) / 1e6,
                  static_cast<double>(row.total) / 1e3 / static_cast<double>(row.calls));
    table += line;
  }
  return table;
}

}  // namespace percale
