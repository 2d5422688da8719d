// A fiber that tells the sanitizers of every switch. Compiled without -fsanitize=thread, as the scheduler is.
#pragma once

#include <boost/context/fiber.hpp>
#include <cstddef>

namespace percale::emulator {

bool under_tsan();
/// What TSan is told: all that was released to `tag` so far happened before what follows an acquire.
void acquire(void* tag);
void release(void* tag);

/// Runs `body`, which never returns, on a stack of its own. A switch is no synchronisation in TSan's eyes.
class Fiber {
 public:
  Fiber();
  virtual ~Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// From outside: runs `body` on, until it pauses.
  void resume();
  /// From inside `body`: back to whoever resumed it.
  void pause();

 protected:
  virtual void body() = 0;

 private:
  void start(boost::context::fiber&& host);

  boost::context::fiber own_, host_;
  void *own_tsan_fiber_ = nullptr, *host_tsan_fiber_ = nullptr;
  const void *own_bottom_ = nullptr, *host_bottom_ = nullptr;
  size_t own_size_ = 0, host_size_ = 0;
};

}  // namespace percale::emulator
