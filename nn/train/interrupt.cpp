#include "interrupt.h"

#include <csignal>

namespace percale::train {
namespace {

volatile std::sig_atomic_t signal_seen = 0;
struct sigaction previous[2];
constexpr int signals[2] = {SIGINT, SIGTERM};

}  // namespace

InterruptGuard::InterruptGuard() {
  signal_seen = 0;
  struct sigaction action {};
  action.sa_handler = [](int number) { signal_seen = number; };
  action.sa_flags = SA_RESTART | SA_RESETHAND;  // the second one finds the system's own answer
  for (int i = 0; i < 2; ++i) {
    sigaction(signals[i], nullptr, &previous[i]);
    if (previous[i].sa_handler != SIG_IGN) sigaction(signals[i], &action, nullptr);  // nohup's choice stands
  }
}

InterruptGuard::~InterruptGuard() {
  for (int i = 0; i < 2; ++i) sigaction(signals[i], &previous[i], nullptr);
}

int interrupting_signal() { return signal_seen; }

}  // namespace percale::train
