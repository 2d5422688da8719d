#include "fiber.h"

#include <boost/context/protected_fixedsize_stack.hpp>
#include <memory>
#include <utility>

// Present when the program runs under the sanitizer, null else: this file sees none of their macros.
extern "C" {
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_acquire(void* address);
[[gnu::weak]] void __tsan_release(void* address);
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* size);
}

namespace percale::emulator {
namespace {

constexpr size_t stack_bytes = 256 * 1024;

bool under_asan() { return __sanitizer_start_switch_fiber != nullptr; }

}  // namespace

bool under_tsan() { return __tsan_switch_to_fiber != nullptr; }
void acquire(void* tag) {
  if (under_tsan()) __tsan_acquire(tag);
}
void release(void* tag) {
  if (under_tsan()) __tsan_release(tag);
}

Fiber::Fiber() {
  boost::context::protected_fixedsize_stack stacks(stack_bytes);
  auto stack = stacks.allocate();
  own_size_ = stack.size;
  own_bottom_ = static_cast<char*>(stack.sp) - stack.size;
  if (under_tsan()) own_tsan_fiber_ = __tsan_create_fiber(0);
  own_ = boost::context::fiber(std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack), stacks,
                               [this](boost::context::fiber&& host) {
                                 start(std::move(host));
                                 return boost::context::fiber{};
                               });
}

void Fiber::start(boost::context::fiber&& host) {
  host_ = std::move(host);
  if (under_asan()) __sanitizer_finish_switch_fiber(nullptr, &host_bottom_, &host_size_);
  body();
}

void Fiber::resume() {
  void* fake_stack = nullptr;
  if (under_tsan()) {
    host_tsan_fiber_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(own_tsan_fiber_, 1);
  }
  if (under_asan()) __sanitizer_start_switch_fiber(&fake_stack, own_bottom_, own_size_);
  own_ = std::move(own_).resume();
  if (under_asan()) __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}

void Fiber::pause() {
  void* fake_stack = nullptr;
  if (under_tsan()) __tsan_switch_to_fiber(host_tsan_fiber_, 1);
  if (under_asan()) __sanitizer_start_switch_fiber(&fake_stack, host_bottom_, host_size_);
  host_ = std::move(host_).resume();
  if (under_asan()) __sanitizer_finish_switch_fiber(fake_stack, &host_bottom_, &host_size_);
}

}  // namespace percale::emulator
