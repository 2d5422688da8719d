// How far an epoch has come, in one line that a terminal shows and nobody else.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace percale::train {

struct ProgressOptions {
  std::string unit = "images";
  bool enabled = true;
  int descriptor = 2;                   ///< where the bar is drawn: the standard error
  std::function<int64_t()> clock = {};  ///< in nanoseconds; empty: the time since the machine started
};

/// A bar with rate, time left and loss at the bottom of a terminal; nothing where `descriptor` is no terminal. Lines
/// that `print` gives to the standard output stay above it. Colours unless NO_COLOR is set. For one thread.
///
///     ProgressBar bar(60000);
///     bar.start(0);
///     ... if (bar.is_due()) bar.show(done, loss.item<double>());   // reading the loss waits for the device: not each
///     step bar.print("Epoch [1/5], Loss: 0.1234");
class ProgressBar {
 public:
  explicit ProgressBar(int64_t total, ProgressOptions options = {});
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;

  /// An epoch begins, or goes on, with `done` behind it: the rate is counted from here.
  void start(int64_t done = 0);
  /// True some ten times a second; never where nothing is shown.
  bool is_due() const;
  void show(int64_t done, double loss);
  /// Removes the bar, writes `line` to the standard output and ends it.
  void print(std::string_view line);
  void clear();

  bool is_shown() const { return shown_; }

 private:
  std::string line(int64_t done, double loss, int columns) const;

  int64_t total_, first_ = 0;
  ProgressOptions options_;
  bool shown_, colours_, drawn_ = false;
  int64_t begin_ = 0, last_ = 0;  ///< nanoseconds
};

}  // namespace percale::train
