#include "graph.h"

#include <memory>
#include <set>
#include <vector>

#include "allocator.h"
#include "cuda/runtime.h"
#include "random.h"
#include "rounded_copy.h"
#include "trace.h"

namespace percale {
namespace {

using Storages = std::vector<std::weak_ptr<Storage>>;

#if PERCALE_HAS_CUDA
/// Each of `storages` that is still there, once, in the order in which they first stand.
Storages each_once(const Storages& storages) {
  std::set<std::weak_ptr<Storage>, std::owner_less<>> seen;
  Storages result;
  for (const auto& entry : storages)
    if (!entry.expired() && seen.insert(entry).second) result.push_back(entry);
  return result;
}
#endif

}  // namespace

struct Graph::State {
  Device device;
  bool enabled;
  std::string name;
  int calls = 0;
  std::shared_ptr<MemoryPool> pool;
  Storages written;         ///< what each replay writes: its versions rise with it
  Storages read_rounded;    ///< whose copies in bf16 it reads
  Storages leaves_rounded;  ///< whose copies it writes too
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
    StepLog log;
    cuda::begin_capture(stream);
    try {
      step();
      graph = cuda::end_capture(stream);
    } catch (const std::exception& error) {
      cuda::abandon_capture(stream);
      for (const auto& entry : log.read_rounded)  // a rounding may have been recorded that never runs
        if (const auto storage = entry.lock()) storage->mark_written("a step that could not be captured");
      fail("graph", "{} cannot be captured: {}", {name, error.what()});
    }
    written = each_once(log.written);
    read_rounded = each_once(log.read_rounded);
    for (const auto& entry : written)
      if (const auto storage = entry.lock(); storage && storage->has_rounded()) leaves_rounded.push_back(entry);
    executable = cuda::instantiate(graph);
  }

  void replay() {
    const TraceRange range(name);
    for (auto& entry : read_rounded)
      if (auto storage = entry.lock()) refresh_rounded_copy(storage);
    for (auto& entry : written)
      if (auto storage = entry.lock()) storage->mark_written("graph replay");
    for (auto& entry : leaves_rounded)
      if (auto storage = entry.lock()) storage->rounded_version = storage->version();
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
