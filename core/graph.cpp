#include "graph.h"

#include "allocator.h"
#include "cuda/runtime.h"
#include "random.h"
#include "trace.h"

namespace percale {

struct Graph::State {
  Device device;
  bool enabled;
  std::string name;
  int calls = 0;
  std::shared_ptr<MemoryPool> pool;
  std::vector<std::weak_ptr<Storage>> written;  ///< what each replay writes: its versions rise with it
#if PERCALE_HAS_CUDA
  cuda::Graph graph = nullptr;
  cuda::Executable executable = nullptr;

  ~State() {
    if (executable) cuda::destroy_executable(executable);
    if (graph) cuda::destroy_graph(graph);
  }

  void record(const std::function<void()>& step) {
    const cuda::Stream stream = cuda::current_stream();
    const PoolGuard guard(pool);
    WriteLog log;
    cuda::begin_capture(stream);
    try {
      step();
      graph = cuda::end_capture(stream);
    } catch (const std::exception& error) {
      cuda::abandon_capture(stream);
      fail("graph", "{} cannot be captured: {}", {name, error.what()});
    }
    written = log.take();
    executable = cuda::instantiate(graph);
  }

  void replay() {
    const TraceRange range(name);
    for (auto& entry : written)
      if (auto storage = entry.lock()) storage->mark_written("graph replay");
    cuda::launch_graph(executable, cuda::current_stream());
  }
#endif
};

Graph::Graph(Device device, bool enabled, std::string name) : state_(std::make_unique<State>()) {
  state_->device = device;
  state_->enabled = enabled && device.is_cuda();
  state_->name = std::move(name);
}

Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;

bool Graph::is_captured() const {
#if PERCALE_HAS_CUDA
  return state_->executable != nullptr;
#else
  return false;
#endif
}

void Graph::run(const std::function<void()>& step) {
  auto whole = [&] {
    begin_random_step();
    step();
    end_random_step(state_->device);
  };
  if (!state_->enabled) return whole();
#if PERCALE_HAS_CUDA
  if (!state_->pool) state_->pool = std::make_shared<MemoryPool>(state_->device);
  if (++state_->calls == 1) {
    const PoolGuard guard(state_->pool);
    return whole();
  }
  if (!state_->executable) state_->record(whole);
  state_->replay();
#endif
}

}  // namespace percale
