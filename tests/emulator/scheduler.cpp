// Runs kernels on the CPU: a fiber a thread, switched at barriers only. Compiled without -fsanitize=thread, since its
// own bookkeeping would order the threads; it tells TSan of each barrier and fence instead.
//
// A fiber that meets no barrier runs one thread after the other, so a kernel without barriers costs one switch a block.
// Under TSan each thread of a block has a fiber of its own, and its number shifts from block to block: so two blocks
// that write one place are seen as two threads.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <vector>

#include "../../core/error.h"
#include "../../kernels/common/device.h"
#include "emulator.h"
#include "fiber.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace percale::emulator {
namespace {

constexpr unsigned most_threads = 1024, warp = 32;
constexpr size_t shared_bytes_kept = 16 << 20;

/// Thrown through a thread that will never be resumed, to unwind its stack.
struct Abandoned {};

struct Copy {
  void* destination;
  const void* source;
  uint64_t group;
  uint8_t bytes;
};

class Scheduler;

struct Worker : Fiber {
  explicit Worker(Scheduler& own) : scheduler(own) {}
  void body() override;

  Scheduler& scheduler;
  unsigned thread = 0;
  std::vector<Copy> copies;
  size_t copies_done = 0;
  uint64_t copy_groups = 0;
};

enum class State : uint8_t { unborn, running, at_barrier, in_exchange, ready, returned };

struct Thread {
  Worker* worker = nullptr;
  State state = State::unborn;
  Where where;
};

/// One collective of some lanes of a warp, from the first arrival until the last lane has read.
struct Exchange {
  unsigned mask = 0, arrived = 0, to_read = 0;
  Collective kind = Collective::sync;
  bool in_use = false;
  uint64_t values[warp];
};

struct Tag {
  alignas(64) char byte;
};

class Scheduler {
 public:
  void run(const Launch& launch);
  void serve(Worker& self);
  void set_order(Order order) { order_ = order; }
  Counts counts() const { return counts_; }

  void block_barrier(Where where) { wait_for_block(false, where); }
  unsigned wait_for_block(bool predicate, Where where);
  const uint64_t* warp_exchange(unsigned mask, uint64_t value, Collective kind, Where where);
  unsigned existing_lanes() const { return lanes_of(current_->thread / warp); }
  unsigned lane() const { return current_->thread % warp; }
  void* shared_memory(size_t bytes, Where where);
  void fence() { release(&fence_), acquire(&fence_); }
  Worker& worker() { return *current_; }
  [[noreturn]] void fail_here(Where where, const std::string& what);

 private:
  void run_block(uint64_t block);
  void run_threads();
  void prepare_shared();
  void free_shared();
  Worker& idle_worker();
  Worker& make_worker();
  void run_thread(Worker& self, unsigned thread);
  void resume(Worker& worker);
  void pause(State state, Where where);
  void place(unsigned thread);
  void abandon_all();
  unsigned lanes_of(unsigned warp_number) const;
  Exchange& find_exchange(unsigned warp_number, unsigned mask, Collective kind, Where where);
  std::string divergence() const;
  std::string kernel_text() const;

  Order order_ = [] {
    const char* text = std::getenv("PERCALE_EMULATOR_ORDER");
    return text ? parse_order(text) : Order{};
  }();
  Counts counts_;
  const Launch* launch_ = nullptr;
  uint64_t block_number_ = 0;
  std::exception_ptr failure_;
  bool abandoning_ = false;

  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
  Worker* current_ = nullptr;

  std::vector<unsigned> thread_order_;
  unsigned count_ = 0, next_ = 0, returned_ = 0;
  Thread threads_[most_threads];
  std::vector<Exchange*> exchanges_[most_threads / warp];
  unsigned at_barrier_ = 0, barrier_sum_ = 0, barrier_result_[2] = {};
  uint64_t barrier_generation_ = 0;
  bool barrier_split_ = false;

  char* shared_ = nullptr;
  std::vector<char*> shared_kept_;
  Tag start_, done_, fence_, barrier_tags_[128];
};

std::string text_of(uint3 at) { return format_text("({}, {}, {})", {text(at.x), text(at.y), text(at.z)}); }
std::string text_of(Where where) { return std::string(where.file_name()) + ":" + std::to_string(where.line()); }

uint3 coordinates(uint64_t number, dim3 extents) {
  return {static_cast<unsigned>(number % extents.x), static_cast<unsigned>(number / extents.x % extents.y),
          static_cast<unsigned>(number / extents.x / extents.y)};
}

template <class T>
void arrange(std::vector<T>& numbers, uint64_t count, Order order, uint64_t salt) {
  numbers.resize(count);
  std::iota(numbers.begin(), numbers.end(), T{0});
  if (order.kind == Order::reverse) std::reverse(numbers.begin(), numbers.end());
  if (order.kind == Order::shuffled)
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(order.seed * 1000003 + salt));
}

// --- switching ------------------------------------------------------------------------------------------------------

void Scheduler::resume(Worker& worker) {
  ++counts_.switches;
  current_ = &worker;
  worker.resume();
  current_ = nullptr;
}

/// Leaves the calling thread until it is ready again.
void Scheduler::pause(State state, Where where) {
  const unsigned thread = current_->thread;
  threads_[thread].state = state;
  threads_[thread].where = where;
  current_->pause();
  if (abandoning_) throw Abandoned{};
  threads_[thread].state = State::running;
  place(thread);
}

void Scheduler::place(unsigned thread) {
  threadIdx = blockDim.x == count_ ? uint3{thread, 0, 0} : coordinates(thread, blockDim);
}

/// Runs one thread after the other, for as long as the process lives.
void Scheduler::serve(Worker& self) {
  for (;;) {
    while (next_ < count_ && !failure_) {
      run_thread(self, thread_order_[next_++]);
      if (under_tsan()) break;
    }
    idle_.push_back(&self);
    self.pause();
  }
}

void Worker::body() { scheduler.serve(*this); }

void Scheduler::run_thread(Worker& self, unsigned thread) {
  self.thread = thread;
  self.copies.clear();
  self.copies_done = 0;
  self.copy_groups = 0;
  threads_[thread].worker = &self;
  threads_[thread].state = State::running;
  place(thread);
  acquire(&start_);
  try {
    launch_->body();
  } catch (const Abandoned&) {
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
  release(&done_);
  threads_[thread].state = State::returned;
  ++returned_;
}

Worker& Scheduler::make_worker() { return *workers_.emplace_back(std::make_unique<Worker>(*this)); }

Worker& Scheduler::idle_worker() {
  if (under_tsan()) {  // thread t of block b has fiber t + b, modulo a few more than there are threads
    const size_t all = count_ + 3;
    while (workers_.size() < all) make_worker();
    return *workers_[(thread_order_[next_] + block_number_) % all];
  }
  if (idle_.empty()) return make_worker();
  Worker& worker = *idle_.back();
  idle_.pop_back();
  return worker;
}

// --- a launch -------------------------------------------------------------------------------------------------------

void Scheduler::run(const Launch& launch) {
  const uint64_t threads = uint64_t{launch.block.x} * launch.block.y * launch.block.z;
  launch_ = &launch;
  if (threads > most_threads || launch.block.z > 64)
    cuda::fail_launch((kernel_text() + ": more than 1024 threads a block").c_str());
  if (launch.grid.y > 65535 || launch.grid.z > 65535 || launch.grid.x > 0x7fffffffu)
    cuda::fail_launch((kernel_text() + ": the grid is too large").c_str());
  if (launch.shared_bytes > cuda::shared_memory_per_block())
    cuda::fail_launch((kernel_text() + ": more shared memory than a block can have").c_str());
  blockDim = launch.block;
  gridDim = launch.grid;
  count_ = static_cast<unsigned>(threads);
  ++counts_.launches;
  const uint64_t blocks = uint64_t{gridDim.x} * gridDim.y * gridDim.z;
  counts_.threads += blocks * threads;
  std::vector<uint64_t> block_order;
  if (order_.kind != Order::forward) arrange(block_order, blocks, order_, counts_.launches);
  arrange(thread_order_, count_, order_, counts_.launches);
  for (uint64_t i = 0; i < blocks && !failure_; ++i) run_block(block_order.empty() ? i : block_order[i]);
  acquire(&done_);
  free_shared();
  launch_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Scheduler::run_block(uint64_t block) {
  block_number_ = block;
  blockIdx = coordinates(block, gridDim);
  prepare_shared();
  next_ = returned_ = at_barrier_ = barrier_sum_ = 0;
  for (unsigned i = 0; i < count_; ++i) threads_[i].state = State::unborn;
  release(&start_);
  run_threads();
  if (failure_) abandon_all();
}

void Scheduler::run_threads() {
  while (next_ < count_ && !failure_) resume(idle_worker());
  while (returned_ < count_ && !failure_) {
    bool moved = false;
    for (unsigned i = 0; i < count_ && !failure_; ++i) {
      Thread& thread = threads_[thread_order_[i]];
      if (thread.state != State::ready) continue;
      moved = true;
      resume(*thread.worker);
    }
    if (!moved && !failure_) failure_ = std::make_exception_ptr(Error(divergence()));
  }
}

/// Unwinds every thread that waits, so that its fiber can be used again.
void Scheduler::abandon_all() {
  abandoning_ = true;
  next_ = count_;
  for (unsigned i = 0; i < count_; ++i) {
    const State state = threads_[i].state;
    if (state == State::at_barrier || state == State::in_exchange || state == State::ready) resume(*threads_[i].worker);
  }
  abandoning_ = false;
  for (auto& of_warp : exchanges_)
    for (Exchange* exchange : of_warp) exchange->in_use = false;
}

/// Shared memory is never reused within a launch under TSan, as what one block wrote would seem to race with the next.
void Scheduler::prepare_shared() {
  const size_t bytes = launch_->shared_bytes;
  if (bytes == 0) return;
  if (under_tsan() && shared_kept_.size() * bytes > shared_bytes_kept) {
    acquire(&done_);
    free_shared();
  }
  if (under_tsan() || shared_ == nullptr) {
    shared_ = static_cast<char*>(std::malloc(bytes));
    shared_kept_.push_back(shared_);
  }
  std::memset(shared_, 0xff, bytes);
}

void Scheduler::free_shared() {
  for (char* memory : shared_kept_) std::free(memory);
  shared_kept_.clear();
  shared_ = nullptr;
}

void* Scheduler::shared_memory(size_t bytes, Where where) {
  if (bytes > launch_->shared_bytes)
    fail_here(where, "wants " + std::to_string(bytes) + " bytes of shared memory and was launched with " +
                         std::to_string(launch_->shared_bytes));
  return shared_;
}

// --- barriers and exchanges -----------------------------------------------------------------------------------------

unsigned Scheduler::wait_for_block(bool predicate, Where where) {
  const uint64_t generation = barrier_generation_;
  Tag& tag = barrier_tags_[generation % std::size(barrier_tags_)];
  release(&tag);
  barrier_sum_ += predicate;
  Thread& self = threads_[current_->thread];
  self.where = where;
  if (++at_barrier_ < count_) {
    pause(State::at_barrier, where);
  } else {
    for (unsigned i = 0; i < count_; ++i) {
      if (threads_[i].where.line() != where.line()) {
        self.state = State::at_barrier;
        throw Error(divergence());
      }
      if (threads_[i].state == State::at_barrier) threads_[i].state = State::ready;
    }
    barrier_result_[generation % 2] = barrier_sum_;
    barrier_sum_ = at_barrier_ = 0;
    ++barrier_generation_;
  }
  acquire(&tag);
  return barrier_result_[generation % 2];
}

unsigned Scheduler::lanes_of(unsigned warp_number) const {
  const unsigned left = count_ - warp_number * warp;
  return left >= warp ? 0xffffffffu : (1u << left) - 1;
}

Exchange& Scheduler::find_exchange(unsigned warp_number, unsigned mask, Collective kind, Where where) {
  Exchange* unused = nullptr;
  for (Exchange* exchange : exchanges_[warp_number]) {
    if (!exchange->in_use)
      unused = exchange;
    else if (exchange->mask == mask && exchange->arrived != mask) {
      if (exchange->kind != kind) fail_here(where, "lanes of one warp meet in two different warp operations");
      return *exchange;
    }
  }
  if (unused == nullptr) unused = exchanges_[warp_number].emplace_back(new Exchange);
  unused->mask = mask;
  unused->arrived = unused->to_read = 0;
  unused->kind = kind;
  unused->in_use = true;
  std::memset(unused->values, 0xff, sizeof unused->values);
  return *unused;
}

const uint64_t* Scheduler::warp_exchange(unsigned mask, uint64_t value, Collective kind, Where where) {
  const unsigned thread = current_->thread, warp_number = thread / warp, bit = 1u << thread % warp;
  mask &= lanes_of(warp_number);
  if (!(mask & bit)) fail_here(where, "the mask of a warp operation lacks the lane that calls it");
  Exchange& exchange = find_exchange(warp_number, mask, kind, where);
  exchange.values[thread % warp] = value;
  exchange.arrived |= bit;
  release(&exchange);
  if (exchange.arrived != mask) {
    pause(State::in_exchange, where);
  } else {
    exchange.to_read = mask;
    for (unsigned lane = 0; lane < warp; ++lane)
      if ((mask & ~bit) >> lane & 1) threads_[warp_number * warp + lane].state = State::ready;
  }
  acquire(&exchange);
  exchange.to_read &= ~bit;
  if (exchange.to_read == 0) exchange.in_use = false;
  return exchange.values;
}

// --- messages -------------------------------------------------------------------------------------------------------

std::string Scheduler::kernel_text() const {
  return format_text("the kernel launched at {} by {}", {text_of(launch_->where), launch_->where.function_name()});
}

void Scheduler::fail_here(Where where, const std::string& what) {
  fail("emulator", "{}, thread {} of block {} at {}: {}",
       {kernel_text(), text_of(threadIdx), text_of(blockIdx), text_of(where), what});
}

std::string Scheduler::divergence() const {
  std::map<std::string, unsigned> places;
  for (unsigned i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    if (thread.state == State::at_barrier)
      ++places["wait at the barrier " + text_of(thread.where)];
    else if (thread.state == State::in_exchange)
      ++places["wait in the warp operation " + text_of(thread.where)];
    else if (thread.state == State::returned)
      ++places["have returned"];
  }
  std::string list;
  for (const auto& [place, count] : places)
    list += (list.empty() ? "" : ", ") + std::to_string(count) + " threads " + place;
  return format_text("[emulator] divergent barrier in {}, block {}: {}", {kernel_text(), text_of(blockIdx), list});
}

// --- the one instance -----------------------------------------------------------------------------------------------

std::recursive_mutex& running() {
  static auto* mutex = new std::recursive_mutex;
  return *mutex;
}

Scheduler& scheduler() {
  static auto* instance = new Scheduler;  // never destroyed: its fibers stand in the midst of `serve`
  return *instance;
}

}  // namespace

Order parse_order(const std::string& text) {
  if (text == "forward") return {};
  if (text == "reverse") return {Order::reverse};
  require(text.starts_with("shuffled:"), "emulator", "the order is forward, reverse or shuffled:SEED, not {}", text);
  return {Order::shuffled, std::strtoull(text.c_str() + 9, nullptr, 10)};
}

void set_order(Order order) {
  std::scoped_lock lock(running());
  scheduler().set_order(order);
}

Counts counts() {
  std::scoped_lock lock(running());
  return scheduler().counts();
}

/// Kernels run one at a time, whichever thread starts them.
void run_kernel(const Launch& launch) {
  std::scoped_lock lock(running());
  scheduler().run(launch);
}

void block_barrier(Where where) { scheduler().block_barrier(where); }
unsigned block_count(bool predicate, Where where) { return scheduler().wait_for_block(predicate, where); }
const uint64_t* warp_exchange(unsigned mask, uint64_t value, Collective kind, Where where) {
  return scheduler().warp_exchange(mask, value, kind, where);
}
unsigned existing_lanes() { return scheduler().existing_lanes(); }
unsigned lane() { return scheduler().lane(); }
void* shared_memory(size_t bytes_needed, Where where) { return scheduler().shared_memory(bytes_needed, where); }
void fence() { scheduler().fence(); }
void trap(Where where) { scheduler().fail_here(where, "trap"); }

void start_copy(void* destination, const void* source, uint8_t bytes) {
  Worker& worker = scheduler().worker();
  worker.copies.push_back({destination, source, worker.copy_groups, bytes});
}
void commit_copies() { ++scheduler().worker().copy_groups; }
bool next_copy(unsigned groups, void*& destination, const void*& source, uint8_t& bytes) {
  Worker& worker = scheduler().worker();
  if (worker.copies_done == worker.copies.size()) return false;
  const Copy& copy = worker.copies[worker.copies_done];
  if (copy.group + groups >= worker.copy_groups) return false;
  destination = copy.destination;
  source = copy.source;
  bytes = copy.bytes;
  ++worker.copies_done;
  return true;
}

}  // namespace percale::emulator
