// A whole training step as one graph: recorded once, replayed with a single launch.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "tensor.h"

namespace percale {

/// What `Graph::capture` returns is a `CapturedStep`; this is the part of it that knows nothing of what `step` returns.
class Graph {
 public:
  /// Everything that `step` does on `device`'s stream, as one thing to call: gathering data, forward, backward,
  /// optimizer.
  ///
  /// The first call runs `step` eagerly (libraries are opened, the graph's private memory is sized), the second records
  /// and launches it, every later one is a single launch. On the CPU each call runs `step`. With `enabled` false it
  /// runs eagerly everywhere, with the same random numbers. What `step` returns is overwritten by the next call:
  /// `clone()` keeps it. What cannot be recorded (an `item()` inside, a changing shape) is an error that says so.
  template <class Step>
  static auto capture(Step step, Device device, bool enabled = true, std::string name = "step");

  Graph(Device device, bool enabled, std::string name);
  ~Graph();
  Graph(Graph&&) noexcept;

  /// Runs, records or replays `step`, whichever is due.
  void run(const std::function<void()>& step);
  /// True once calls are replays.
  bool is_captured() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A step that `Graph::capture` has taken over; call it as the function it was.
template <class Step>
class CapturedStep {
 public:
  using Result = std::invoke_result_t<Step&>;
  CapturedStep(Step step, Device device, bool enabled, std::string name)
      : step_(std::move(step)), graph_(device, enabled, std::move(name)) {}

  Result operator()() {
    if constexpr (std::is_void_v<Result>) {
      graph_.run([this] { step_(); });
    } else {
      graph_.run([this] { result_ = step_(); });
      return result_;
    }
  }
  bool is_captured() const { return graph_.is_captured(); }

 private:
  struct Nothing {};
  Step step_;
  Graph graph_;
  [[no_unique_address]] std::conditional_t<std::is_void_v<Result>, Nothing, Result> result_{};
};

template <class Step>
auto Graph::capture(Step step, Device device, bool enabled, std::string name) {
  return CapturedStep<Step>(std::move(step), device, enabled, std::move(name));
}

}  // namespace percale
