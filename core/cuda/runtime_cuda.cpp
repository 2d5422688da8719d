// core/cuda/runtime.h on NVIDIA's runtime, which is linked statically: a process without a driver pays about 1 ms.
#include <cuda_profiler_api.h>
#include <cuda_runtime_api.h>

#include <mutex>
#include <vector>

#include "../error.h"
#include "error_word.h"
#include "runtime.h"

namespace percale::cuda {
namespace {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that the next call does not report it again
  fail("cuda", "{} failed: {} ({})", {what, cudaGetErrorString(status), cudaGetErrorName(status)});
}

cudaStream_t native(Stream stream) { return reinterpret_cast<cudaStream_t>(stream); }
cudaEvent_t native(Event event) { return reinterpret_cast<cudaEvent_t>(event); }
cudaGraph_t native(Graph graph) { return reinterpret_cast<cudaGraph_t>(graph); }
cudaGraphExec_t native(Executable executable) { return reinterpret_cast<cudaGraphExec_t>(executable); }

struct Found {
  int count = 0;
  std::string reason;
};

Found look_for_devices() {
  Found found;
  const cudaError_t status = cudaGetDeviceCount(&found.count);
  if (status == cudaSuccess && found.count > 0) return found;
  cudaGetLastError();
  found.count = 0;
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
      found.reason = "there is no NVIDIA driver on this machine (nvidia-smi shows one where there is)";
    else
      found.reason = format_text("the NVIDIA driver knows CUDA {} only and this build needs {}: update the driver",
                                 {std::to_string(driver / 1000), std::to_string(runtime / 1000)});
  } else if (status == cudaErrorNoDevice || status == cudaSuccess) {
    found.reason =
        "there is a driver but no GPU to be seen (CUDA_VISIBLE_DEVICES may hide it; nvidia-smi -L lists them)";
  } else {
    found.reason = format_text("CUDA says: {} ({})", {cudaGetErrorString(status), cudaGetErrorName(status)});
  }
  return found;
}

const Found& devices() {
  static const Found found = look_for_devices();
  return found;
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// While this lives, the thread may do what has nothing to do with the stream that it captures, although CUDA finds it
/// unsafe there: allocate, ask about memory and events, wait for another stream.
struct UnsafeWhileCapturing {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  UnsafeWhileCapturing() { cudaThreadExchangeStreamCaptureMode(&mode); }
  ~UnsafeWhileCapturing() { cudaThreadExchangeStreamCaptureMode(&mode); }
};

thread_local Stream thread_stream = nullptr;

bool is_pinned(const void* memory) {
  UnsafeWhileCapturing allowed;
  cudaPointerAttributes attributes{};
  if (cudaPointerGetAttributes(&attributes, memory) != cudaSuccess) {
    cudaGetLastError();
    return false;
  }
  return attributes.type != cudaMemoryTypeUnregistered;
}

}  // namespace

int device_count() { return devices().count; }
std::string reason_without_device() { return devices().reason; }

DeviceDescription describe_device(int device) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "asking for the device's properties");
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "asking for the driver's version");
  check(cudaRuntimeGetVersion(&runtime), "asking for the runtime's version");
  return {properties.name,
          version_text(driver),
          version_text(runtime),
          properties.major * 10 + properties.minor,
          properties.multiProcessorCount,
          properties.totalGlobalMem};
}

int multiprocessor_count() {
  static const int count = [] {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0), "asking for the multiprocessors");
    return value;
  }();
  return count;
}

size_t shared_memory_per_block() {
  static const int bytes = [] {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), "asking for the shared memory");
    return value;
  }();
  return static_cast<size_t>(bytes);
}

MemoryInfo memory_info() {
  MemoryInfo info;
  check(cudaMemGetInfo(&info.free_bytes, &info.total_bytes), "asking for the free memory");
  return info;
}

void* allocate_device(size_t bytes) {
  UnsafeWhileCapturing allowed;
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(status, "allocating device memory");
  return memory;
}

void free_device(void* memory) noexcept {
  UnsafeWhileCapturing allowed;
  cudaFree(memory);
  cudaGetLastError();
}

void* allocate_pinned(size_t bytes) {
  UnsafeWhileCapturing allowed;
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes), "allocating pinned host memory");
  return memory;
}

void free_pinned(void* memory) noexcept {
  UnsafeWhileCapturing allowed;
  cudaFreeHost(memory);
  cudaGetLastError();
}

Stream current_stream() {
  if (thread_stream != nullptr) return thread_stream;
  static const Stream own = create_stream();
  return own;
}

void set_current_stream(Stream stream) { thread_stream = stream; }

Stream create_stream() {
  require(device_count() > 0, "cuda", "there is no CUDA device: {}", reason_without_device());
  UnsafeWhileCapturing allowed;
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
  return reinterpret_cast<Stream>(stream);
}

void destroy_stream(Stream stream) noexcept {
  forget_error_record(stream);
  cudaStreamDestroy(native(stream));
}

void copy_async(void* destination, const void* source, size_t bytes, CopyKind kind, Stream stream) {
  if (bytes == 0) return;
  if (kind != CopyKind::device_to_device && is_capturing(stream)) {
    const void* host = kind == CopyKind::host_to_device ? source : destination;
    require(is_pinned(host), "cuda", "a captured step can't copy between the device and ordinary host memory");
  }
  constexpr cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice};
  check(cudaMemcpyAsync(destination, source, bytes, kinds[static_cast<int>(kind)], native(stream)), "a copy");
}

void fill_async(void* destination, uint8_t value, size_t bytes, Stream stream) {
  if (bytes > 0) check(cudaMemsetAsync(destination, value, bytes, native(stream)), "a fill");
}

void wait(Stream stream) {
  UnsafeWhileCapturing allowed;
  check(cudaStreamSynchronize(native(stream)), "waiting for the stream");
}

Event create_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "creating an event");
  return reinterpret_cast<Event>(event);
}

void destroy_event(Event event) noexcept { cudaEventDestroy(native(event)); }
void record_event(Event event, Stream stream) {
  check(cudaEventRecord(native(event), native(stream)), "recording an event");
}
void wait_for_event(Event event) { check(cudaEventSynchronize(native(event)), "waiting for an event"); }

bool is_done(Event event) {
  UnsafeWhileCapturing allowed;
  const cudaError_t status = cudaEventQuery(native(event));
  if (status == cudaErrorNotReady) return false;
  check(status, "asking an event");
  return true;
}

void stream_wait_event(Stream stream, Event event) {
  check(cudaStreamWaitEvent(native(stream), native(event), 0), "letting a stream wait for an event");
}

float elapsed_milliseconds(Event begin, Event end) {
  wait_for_event(end);
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, native(begin), native(end)), "asking for the time between two events");
  return milliseconds;
}

void begin_capture(Stream stream) {
  check(cudaStreamBeginCapture(native(stream), cudaStreamCaptureModeThreadLocal), "beginning a graph's capture");
}

Graph end_capture(Stream stream) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(native(stream), &graph), "ending a graph's capture");
  return reinterpret_cast<Graph>(graph);
}

void abandon_capture(Stream stream) noexcept {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  if (cudaStreamIsCapturing(native(stream), &status) == cudaSuccess && status != cudaStreamCaptureStatusNone) {
    cudaGraph_t graph = nullptr;
    cudaStreamEndCapture(native(stream), &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
  }
  cudaGetLastError();
}

bool is_capturing(Stream stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(native(stream), &status), "asking whether a stream is captured");
  return status != cudaStreamCaptureStatusNone;
}

Executable instantiate(Graph graph) {
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiateWithFlags(&executable, native(graph), 0), "instantiating a graph");
  return reinterpret_cast<Executable>(executable);
}

void launch_graph(Executable executable, Stream stream) {
  check(cudaGraphLaunch(native(executable), native(stream)), "launching a graph");
}

void destroy_graph(Graph graph) noexcept { cudaGraphDestroy(native(graph)); }
void destroy_executable(Executable executable) noexcept { cudaGraphExecDestroy(native(executable)); }

size_t node_count(Graph graph) {
  size_t count = 0;
  check(cudaGraphGetNodes(native(graph), nullptr, &count), "counting a graph's nodes");
  return count;
}

void fail_launch(const char* reason) { fail("cuda", "a kernel could not be launched: {}", {reason}); }

void start_profiler() { check(cudaProfilerStart(), "starting the profiler"); }
void stop_profiler() { check(cudaProfilerStop(), "stopping the profiler"); }

}  // namespace percale::cuda
