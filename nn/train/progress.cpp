#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace percale::train {
namespace {

constexpr int64_t interval = 100'000'000;

int64_t steady_nanoseconds() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

bool is_terminal(int descriptor) {
  const char* kind = std::getenv("TERM");
  return isatty(descriptor) && kind && std::string_view(kind) != "dumb";
}

int columns_of(int descriptor) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// 12,345
std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

/// 1:05, 2:00:05
std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::min(seconds + .5, 3.6e8));
  char text[32];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%d:%02d:%02d", static_cast<int>(whole / 3600), static_cast<int>(whole / 60 % 60),
                  static_cast<int>(whole % 60));
  else
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(whole / 60), static_cast<int>(whole % 60));
  return text;
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(descriptor, text.data(), text.size());
    if (count <= 0) return;  // a terminal that is gone is no reason to stop training
    text.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace

ProgressBar::ProgressBar(int64_t total, ProgressOptions options)
    : total_(std::max<int64_t>(total, 1)), options_(std::move(options)) {
  if (!options_.clock) options_.clock = steady_nanoseconds;
  shown_ = options_.enabled && is_terminal(options_.descriptor);
  const char* plain = std::getenv("NO_COLOR");
  colours_ = !plain || !*plain;
  start();
}

void ProgressBar::start(int64_t done) {
  first_ = done;
  begin_ = last_ = options_.clock();
}

bool ProgressBar::is_due() const { return shown_ && options_.clock() - last_ >= interval; }

std::string ProgressBar::line(int64_t done, double loss, int columns) const {
  const double seconds = std::max(static_cast<double>(options_.clock() - begin_) * 1e-9, 1e-6);
  const double rate = static_cast<double>(done - first_) / seconds;
  const double left = rate > 0 ? static_cast<double>(total_ - done) / rate : 0;
  const auto share = static_cast<double>(std::clamp<int64_t>(done, 0, total_)) / static_cast<double>(total_);
  char percent[16], numbers[96];
  std::snprintf(percent, sizeof percent, "%3d%% ", static_cast<int>(share * 100));
  std::snprintf(numbers, sizeof numbers, "  %s/s  %s left  loss %.4f", grouped(static_cast<int64_t>(rate)).c_str(),
                clock_text(left).c_str(), loss);
  std::string counts = grouped(done);
  counts.append("/").append(grouped(total_)).append(" ").append(options_.unit).append(numbers);
  std::string text = percent;
  const int room = columns - 2 - static_cast<int>(text.size() + counts.size());
  if (room < 10) return text + counts.substr(0, static_cast<size_t>(std::max(columns - 6, 0)));
  const int width = std::min(room, 40), filled = static_cast<int>(share * width);
  text.append(colours_ ? "\033[32m" : "").append(static_cast<size_t>(filled), '#');
  text.append(colours_ ? "\033[2m" : "")
      .append(static_cast<size_t>(width - filled), '-')
      .append(colours_ ? "\033[0m " : " ");
  return text.append(counts);
}

void ProgressBar::show(int64_t done, double loss) {
  if (!shown_) return;
  last_ = options_.clock();
  drawn_ = true;
  std::string text = "\r";
  write_all(options_.descriptor, text.append(line(done, loss, columns_of(options_.descriptor))).append("\033[K"));
}

void ProgressBar::print(std::string_view line) {
  clear();
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void ProgressBar::clear() {
  if (drawn_) write_all(options_.descriptor, "\r\033[K");
  drawn_ = false;
}

}  // namespace percale::train
