// core/cuda/runtime.h on the CPU: device memory between guard bytes, streams that run at once, keep or record their
// work.
#include "../../core/cuda/runtime.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "../../core/cuda/error_word.h"
#include "../../core/error.h"
#include "../../kernels/common/device.h"
#include "emulator.h"

#if defined(__SANITIZE_ADDRESS__)
#define PERCALE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PERCALE_ASAN 1
#endif
#endif
#ifdef PERCALE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

// The sanitizers' settings stand in the program, so that a test started by hand has them too. A test asks for more
// memory than there is, and expects the allocator's own words; libomp and oneDNN are not instrumented; ThreadSanitizer
// would sleep a second before each program's end.
extern "C" {
const char* __asan_default_options() { return "allocator_may_return_null=1"; }
const char* __ubsan_default_options() { return "print_stacktrace=1"; }
const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1 halt_on_error=1 atexit_sleep_ms=10"; }
}

namespace percale::emulator {

void run_kernel(const Launch& launch);

namespace {

using Work = std::function<void()>;
constexpr size_t guard_bytes = 256;  // also the alignment
constexpr unsigned char guard_value = 0xa5, fresh_value = 0xff;

struct Memory {
  std::mutex mutex;
  std::map<char*, size_t> device;  ///< user's address -> bytes
  std::map<char*, size_t> pinned;
  size_t total = size_t{8} << 30, used = 0;  ///< of the device
};

Memory& memory() {
  static auto* instance = new Memory;
  return *instance;
}

bool lies_in(const std::map<char*, size_t>& blocks, const void* address, size_t bytes) {
  auto next = blocks.upper_bound(const_cast<char*>(static_cast<const char*>(address)));
  if (next == blocks.begin()) return false;
  const auto& [start, size] = *--next;
  const auto offset = static_cast<size_t>(static_cast<const char*>(address) - start);
  return offset <= size && bytes <= size - offset;
}

[[gnu::no_sanitize_address]] bool is_untouched(const char* guard) {
  for (size_t i = 0; i < guard_bytes; ++i)
    if (static_cast<unsigned char>(guard[i]) != guard_value) return false;
  return true;
}

std::string damage(char* start, size_t bytes) {
  const bool before = !is_untouched(start - guard_bytes), after = !is_untouched(start + bytes);
  if (!before && !after) return "";
  return std::string("bytes right ") + (before ? "before" : "behind") + " a device allocation of " +
         std::to_string(bytes) + " bytes were written";
}

std::atomic<bool>& deferred() {
  static std::atomic<bool> value = [] {
    const char* text = std::getenv("PERCALE_EMULATOR_STREAM");
    return text != nullptr && std::string(text) == "deferred";
  }();
  return value;
}

}  // namespace

void set_deferred(bool value) { deferred() = value; }

void set_device_memory(size_t bytes) {
  std::scoped_lock lock(memory().mutex);
  memory().total = bytes;
}

namespace {
std::atomic<bool> refuses{false};
}
void set_refuses_fusion(bool value) { refuses = value; }
bool refuses_fusion() { return refuses; }

void check_guards() {
  std::scoped_lock lock(memory().mutex);
  for (const auto& [start, bytes] : memory().device) {
    const std::string found = damage(start, bytes);
    require(found.empty(), "emulator", "{}", found);
  }
}

}  // namespace percale::emulator

namespace percale::cuda {

struct StreamTag {
  std::recursive_mutex mutex;  // recursive: work may ask about its own stream
  std::deque<emulator::Work> kept;
  std::vector<emulator::Work> recorded;
  bool capturing = false;
};

struct EventTag {
  std::chrono::steady_clock::time_point when;
  Stream stream = nullptr;
};

struct GraphTag {
  std::vector<emulator::Work> nodes;
};

struct ExecutableTag {
  std::vector<emulator::Work> nodes;
};

namespace {

thread_local Stream thread_stream = nullptr;

void check_device_range(const void* address, size_t bytes, const char* what) {
  auto& memory = emulator::memory();
  std::scoped_lock lock(memory.mutex);
  require(emulator::lies_in(memory.device, address, bytes), "emulator",
          "{} of {} bytes leaves the device's allocations", what, bytes);
}

bool is_pinned(const void* address, size_t bytes) {
  auto& memory = emulator::memory();
  std::scoped_lock lock(memory.mutex);
  return emulator::lies_in(memory.pinned, address, bytes);
}

std::mutex& streams_mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::vector<Stream>& all_streams() {
  static auto* streams = new std::vector<Stream>;
  return *streams;
}

void drain(Stream stream) {
  std::scoped_lock lock(stream->mutex);
  while (!stream->kept.empty()) {
    const emulator::Work work = std::move(stream->kept.front());
    stream->kept.pop_front();
    work();
  }
}

}  // namespace
}  // namespace percale::cuda

namespace percale::emulator {

void enqueue_work(cuda::Stream stream, Work work) {
  std::scoped_lock lock(stream->mutex);
  if (stream->capturing)
    stream->recorded.push_back(std::move(work));
  else if (deferred())
    stream->kept.push_back(std::move(work));
  else {
    cuda::drain(stream);
    work();
  }
}

void enqueue(cuda::Stream stream, Launch launch) {
  require(stream != nullptr, "emulator", "a kernel was launched on no stream");
  enqueue_work(stream, [launch = std::move(launch)] { run_kernel(launch); });
}

}  // namespace percale::emulator

namespace percale::cuda {

int device_count() { return 1; }
std::string reason_without_device() { return ""; }
DeviceDescription describe_device(int) {
  return {"CUDA emulator on the CPU", "none", "none", 90, multiprocessor_count(), memory_info().total_bytes};
}
int multiprocessor_count() { return 2; }                // few: so that grid-stride loops really go round
size_t shared_memory_per_block() { return 64 * 1024; }  // what the oldest GPU that is built for has
MemoryInfo memory_info() {
  auto& memory = emulator::memory();
  std::scoped_lock lock(memory.mutex);
  return {memory.total - std::min(memory.total, memory.used), memory.total};
}

void* allocate_device(size_t bytes) {
  if (bytes > memory_info().free_bytes) return nullptr;
  const size_t whole = (bytes + 3 * emulator::guard_bytes - 1) / emulator::guard_bytes * emulator::guard_bytes;
  char* block = static_cast<char*>(std::aligned_alloc(emulator::guard_bytes, whole));
  if (block == nullptr) return nullptr;
  char* start = block + emulator::guard_bytes;
  std::memset(block, emulator::guard_value, whole);
  std::memset(start, emulator::fresh_value, bytes);
  ASAN_POISON_MEMORY_REGION(block, emulator::guard_bytes);
  ASAN_POISON_MEMORY_REGION(start + bytes, emulator::guard_bytes);
  auto& memory = emulator::memory();
  std::scoped_lock lock(memory.mutex);
  memory.device[start] = bytes;
  memory.used += bytes;
  return start;
}

void free_device(void* address) noexcept {
  if (address == nullptr) return;
  {  // as cudaFree, wait for everything that may still use it
    std::vector<Stream> streams;
    {
      std::scoped_lock lock(streams_mutex());
      streams = all_streams();
    }
    for (Stream stream : streams) drain(stream);
  }
  char* start = static_cast<char*>(address);
  auto& memory = emulator::memory();
  std::scoped_lock lock(memory.mutex);
  const auto found = memory.device.find(start);
  const std::string wrong = found == memory.device.end() ? "memory was freed that the device never gave"
                                                         : emulator::damage(start, found->second);
  if (!wrong.empty()) {
    std::fprintf(stderr, "[emulator] %s\n", wrong.c_str());
    std::abort();
  }
  ASAN_UNPOISON_MEMORY_REGION(start - emulator::guard_bytes, emulator::guard_bytes);
  ASAN_UNPOISON_MEMORY_REGION(start + found->second, emulator::guard_bytes);
  memory.used -= found->second;
  memory.device.erase(found);
  std::free(start - emulator::guard_bytes);
}

void* allocate_pinned(size_t bytes) {
  char* start = static_cast<char*>(std::malloc(bytes));
  require(start != nullptr, "cuda", "there is no host memory left for {} pinned bytes", bytes);
  auto& memory = emulator::memory();
  std::scoped_lock lock(memory.mutex);
  memory.pinned[start] = bytes;
  return start;
}

void free_pinned(void* address) noexcept {
  auto& memory = emulator::memory();
  std::scoped_lock lock(memory.mutex);
  memory.pinned.erase(static_cast<char*>(address));
  std::free(address);
}

Stream current_stream() {
  if (thread_stream != nullptr) return thread_stream;
  static const Stream own = create_stream();
  return own;
}

void set_current_stream(Stream stream) { thread_stream = stream; }

Stream create_stream() {
  auto* stream = new StreamTag;
  std::scoped_lock lock(streams_mutex());
  all_streams().push_back(stream);
  return stream;
}

void destroy_stream(Stream stream) noexcept {
  drain(stream);
  forget_error_record(stream);
  std::scoped_lock lock(streams_mutex());
  std::erase(all_streams(), stream);
  delete stream;
}

void copy_async(void* destination, const void* source, size_t bytes, CopyKind kind, Stream stream) {
  if (bytes == 0) return;
  if (kind != CopyKind::host_to_device) check_device_range(source, bytes, "a copy");
  if (kind != CopyKind::device_to_host) check_device_range(destination, bytes, "a copy");
  const void* host = kind == CopyKind::host_to_device ? source : destination;
  const bool pageable = kind != CopyKind::device_to_device && !is_pinned(host, bytes);
  require(!(pageable && is_capturing(stream)), "cuda",
          "a captured step can't copy between the device and ordinary host memory");
  if (pageable && kind == CopyKind::host_to_device) {  // as CUDA: the source may change once this returns
    std::vector<char> staged(static_cast<const char*>(source), static_cast<const char*>(source) + bytes);
    emulator::enqueue_work(stream, [=, staged = std::move(staged)] { std::memcpy(destination, staged.data(), bytes); });
    return;
  }
  emulator::enqueue_work(stream, [=] { std::memmove(destination, source, bytes); });
  if (pageable) drain(stream);
}

void fill_async(void* destination, uint8_t value, size_t bytes, Stream stream) {
  if (bytes == 0) return;
  check_device_range(destination, bytes, "a fill");
  emulator::enqueue_work(stream, [=] { std::memset(destination, value, bytes); });
}

void wait(Stream stream) {
  require(!is_capturing(stream), "cuda", "waiting for a stream that is captured");
  drain(stream);
  emulator::check_guards();
}

Event create_event() { return new EventTag; }
void destroy_event(Event event) noexcept { delete event; }

void record_event(Event event, Stream stream) {
  event->stream = stream;
  emulator::enqueue_work(stream, [event] { event->when = std::chrono::steady_clock::now(); });
}

void wait_for_event(Event event) {
  if (event->stream != nullptr) drain(event->stream);
}

bool is_done(Event event) {
  if (event->stream == nullptr) return true;
  std::scoped_lock lock(event->stream->mutex);
  return event->stream->kept.empty();
}

void stream_wait_event(Stream stream, Event event) {
  if (event->stream == nullptr || event->stream == stream) return;
  emulator::enqueue_work(stream, [from = event->stream] { drain(from); });
}

float elapsed_milliseconds(Event begin, Event end) {
  wait_for_event(end);
  return std::chrono::duration<float, std::milli>(end->when - begin->when).count();
}

void begin_capture(Stream stream) {
  std::scoped_lock lock(stream->mutex);
  require(!stream->capturing, "cuda", "the stream is captured already");
  stream->capturing = true;
}

Graph end_capture(Stream stream) {
  std::scoped_lock lock(stream->mutex);
  require(stream->capturing, "cuda", "no capture is under way on the stream");
  stream->capturing = false;
  return new GraphTag{std::exchange(stream->recorded, {})};
}

void abandon_capture(Stream stream) noexcept {
  std::scoped_lock lock(stream->mutex);
  stream->capturing = false;
  stream->recorded.clear();
}

bool is_capturing(Stream stream) {
  std::scoped_lock lock(stream->mutex);
  return stream->capturing;
}

Executable instantiate(Graph graph) { return new ExecutableTag{graph->nodes}; }

void launch_graph(Executable executable, Stream stream) {
  for (const auto& node : executable->nodes) emulator::enqueue_work(stream, node);
}

void destroy_graph(Graph graph) noexcept { delete graph; }
void destroy_executable(Executable executable) noexcept { delete executable; }
size_t node_count(Graph graph) { return graph->nodes.size(); }
void fail_launch(const char* reason) { fail("cuda", "a kernel could not be launched: {}", {reason}); }
void start_profiler() {}
void stop_profiler() {}

}  // namespace percale::cuda
