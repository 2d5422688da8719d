// What Percale asks of the CUDA runtime, in plain types: memory, streams, copies, events and graphs.
// Two bodies: core/cuda/runtime_cuda.cpp on NVIDIA's runtime, tests/emulator/runtime.cpp on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace percale::cuda {

/// Opaque; on a GPU a `Stream` is a cudaStream_t, and so on.
using Stream = struct StreamTag*;
using Event = struct EventTag*;
using Graph = struct GraphTag*;
using Executable = struct ExecutableTag*;

struct DeviceDescription {
  std::string name;            ///< `NVIDIA H200`
  std::string driver;          ///< `12.8`: the newest CUDA that the driver knows
  std::string runtime;         ///< `13.0`: the CUDA that the library was built with
  int compute_capability = 0;  ///< 90 for 9.0
  int multiprocessors = 0;
  size_t total_memory = 0;
};

struct MemoryInfo {
  size_t free_bytes = 0, total_bytes = 0;
};

/// The number of usable devices; 0 without a driver or GPU, known within about a millisecond. Never throws.
int device_count();
/// Why device_count() is 0, in words with what mends it; empty if it isn't.
std::string reason_without_device();
DeviceDescription describe_device(int device = 0);
int multiprocessor_count();
/// The most shared memory that one block may ask for.
size_t shared_memory_per_block();
MemoryInfo memory_info();

/// Memory from the system, aligned to 256 bytes. Slow: core/allocator keeps and reuses it. Also while capturing.
/// Returns nullptr if there is no more; any other failure throws.
void* allocate_device(size_t bytes);
void free_device(void* memory) noexcept;
/// Host memory that copies to and from the device without a detour, and that a captured graph may name.
void* allocate_pinned(size_t bytes);
void free_pinned(void* memory) noexcept;

/// The stream of this thread's work: the last one set here, else the process's own (made on first use; it does not wait
/// for the legacy default stream).
Stream current_stream();
/// Work of this thread goes to `stream`, which stays its owner's; nullptr returns to the process's own.
void set_current_stream(Stream stream);
/// Wraps a cudaStream_t of the user's.
inline Stream stream_from_handle(void* handle) { return static_cast<Stream>(handle); }
Stream create_stream();
void destroy_stream(Stream stream) noexcept;

enum class CopyKind { host_to_device, device_to_host, device_to_device };
/// Copies in the order of `stream`. While capturing, host memory must be pinned: else an error.
void copy_async(void* destination, const void* source, size_t bytes, CopyKind kind, Stream stream);
/// Sets `bytes` bytes to `value` in the order of `stream`.
void fill_async(void* destination, uint8_t value, size_t bytes, Stream stream);

/// Waits until the work given to `stream` is done, then throws the error that a kernel recorded, if one did (see
/// error_word.h). An error while capturing.
void synchronize(Stream stream);
/// Waits only.
void wait(Stream stream);

Event create_event();
void destroy_event(Event event) noexcept;
void record_event(Event event, Stream stream);
void wait_for_event(Event event);
/// True once the work before the event's record is done.
bool is_done(Event event);
/// Later work of `stream` waits for `event`.
void stream_wait_event(Stream stream, Event event);
/// Milliseconds between two recorded events, waiting for the second.
float elapsed_milliseconds(Event begin, Event end);

/// Records what this thread gives to `stream` instead of running it. Other threads are not disturbed.
void begin_capture(Stream stream);
Graph end_capture(Stream stream);
/// Ends a capture that went wrong, if one is under way; never throws.
void abandon_capture(Stream stream) noexcept;
bool is_capturing(Stream stream);
Executable instantiate(Graph graph);
void launch_graph(Executable executable, Stream stream);
void destroy_graph(Graph graph) noexcept;
void destroy_executable(Executable executable) noexcept;
/// Copies, fills and kernels in the graph.
size_t node_count(Graph graph);

/// Throws the error of a launch that CUDA refused.
[[noreturn]] void fail_launch(const char* reason);

/// Opens and closes the window that `nsys profile -c cudaProfilerApi` records.
void start_profiler();
void stop_profiler();

}  // namespace percale::cuda
