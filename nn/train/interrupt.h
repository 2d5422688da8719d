// Ctrl-C and kill as a question that the training loop answers when it is ready to.
#pragma once

namespace percale::train {

/// While it lives, the first SIGINT or SIGTERM only sets a flag, so that the loop can write a checkpoint and stop; a
/// second one ends the program as ever. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
};

/// The signal that has come since the guard was made, or 0. A shell expects 128 + this as the exit code: 130, 143.
int interrupting_signal();
inline bool interrupted() { return interrupting_signal() != 0; }

}  // namespace percale::train
