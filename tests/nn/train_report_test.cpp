// What a run tells: the bar on a terminal, the file of metrics, and the signals that ask it to stop.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <percale/core/error.h>
#include <percale/core/io/file.h>
#include <percale/nn/train/interrupt.h>
#include <percale/nn/train/metrics.h>
#include <percale/nn/train/progress.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "../testing/folder.h"

namespace percale::train {
namespace {

/// A terminal of 80 columns that nobody looks at.
class Terminal {
 public:
  Terminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    grantpt(master_);
    unlockpt(master_);
    slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
    resize(80);
    fcntl(master_, F_SETFL, O_NONBLOCK);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
  }
  ~Terminal() {
    close(slave_);
    close(master_);
  }
  void resize(unsigned short columns) {
    const winsize size{25, columns, 0, 0};
    ioctl(slave_, TIOCSWINSZ, &size);
  }
  int descriptor() const { return slave_; }
  std::string text() const {
    char bytes[4096];
    const ssize_t count = read(master_, bytes, sizeof bytes);
    return count > 0 ? std::string(bytes, static_cast<size_t>(count)) : "";
  }

 private:
  int master_, slave_;
};

size_t visible_length(const std::string& text) {
  size_t length = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033')
      i = text.find_first_of("mK", i);
    else if (text[i] != '\r')
      ++length;
  }
  return length;
}

TEST(ProgressBar, ShowsRateTimeLeftAndLossOnATerminal) {
  Terminal terminal;
  int64_t time = 0;
  ProgressBar bar(60'000, {.descriptor = terminal.descriptor(), .clock = [&time] { return time; }});
  ASSERT_TRUE(bar.is_shown());
  time = 99'000'000;
  EXPECT_FALSE(bar.is_due());
  time = 125'000'000;
  EXPECT_TRUE(bar.is_due());
  bar.show(30'000, 0.12345);
  EXPECT_FALSE(bar.is_due());
  const std::string text = terminal.text();
  EXPECT_EQ(text.find("\r 50% "), 0u) << text;
  for (const char* part : {"30,000/60,000 images  240,000/s  0:00 left", "loss 0.1235", "\033[32m", "#", "-"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  EXPECT_LE(visible_length(text), 79u);
  bar.clear();
  EXPECT_EQ(terminal.text(), "\r\033[K");
  time = 65'000'000'000;
  bar.show(30'000, 0.12345);
  EXPECT_NE(terminal.text().find("461/s  1:05 left"), std::string::npos);
  terminal.resize(30);
  bar.show(30'000, 0.12345);
  EXPECT_LE(visible_length(terminal.text()), 30u);
}

TEST(ProgressBar, HonoursNoColor) {
  Terminal terminal;
  setenv("NO_COLOR", "1", 1);
  ProgressBar bar(100, {.descriptor = terminal.descriptor()});
  bar.show(50, 1);
  EXPECT_EQ(terminal.text().find("\033[3"), std::string::npos);
  unsetenv("NO_COLOR");
}

TEST(ProgressBar, IsSilentElsewhere) {
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  fcntl(pipes[0], F_SETFL, O_NONBLOCK);
  {
    ProgressBar bar(100, {.descriptor = pipes[1]});
    EXPECT_FALSE(bar.is_shown());
    EXPECT_FALSE(bar.is_due());
    bar.show(50, 1);
  }
  char byte;
  EXPECT_EQ(read(pipes[0], &byte, 1), -1);
  Terminal terminal;
  EXPECT_FALSE(ProgressBar(1, {.enabled = false, .descriptor = terminal.descriptor()}).is_shown());
  close(pipes[0]);
  close(pipes[1]);
}

TEST(Metrics, AreJsonLinesThatEndWithAFinalOne) {
  const percale::testing::Folder folder;
  const std::string path = folder / "metrics.jsonl";
  {
    MetricsFile file(path);
    file.append({{"epoch", 1},
                 {"loss", 0.1},
                 {"bad", NAN},
                 {"name", "a\"\n"},
                 {"flag", true},
                 {"list", std::vector<double>{1, 0.5}}});
    file.append_json(R"({"epoch": 2})");
    EXPECT_EQ(io::read_file(path),
              "{\"epoch\":1,\"loss\":0.1,\"bad\":null,\"name\":\"a\\\"\\n\",\"flag\":true,\"list\":[1.0,0.5]}\n{"
              "\"epoch\":2}\n");
    EXPECT_THROW(file.append_json("[1]"), Error);
    file.finish({{"data", "generated"}});
  }
  EXPECT_TRUE(io::read_file(path).ends_with("\n{\"final\":true,\"data\":\"generated\"}\n"));
  MetricsFile again(path);
  EXPECT_EQ(io::read_file(path), "");
}

TEST(Metrics, ARunThatGoesOnRepeatsNoEpoch) {
  const percale::testing::Folder folder;
  const std::string path = folder / "metrics.jsonl";
  io::write_file(path, "{\"epoch\":1}\n{\"epoch\":2}\n{\"epoch\":3}\n{\"final\":true,\"epoch\":1}\n{\"epoch\":4,\"lo");
  {
    MetricsFile file(path, 2);
    file.append({{"epoch", 3}});
  }
  EXPECT_EQ(io::read_file(path), "{\"epoch\":1}\n{\"epoch\":2}\n{\"epoch\":3}\n");
  std::filesystem::remove(path);
  MetricsFile fresh(path, 2);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Metrics, AFullDiskIsAnError) {
  EXPECT_THROW(MetricsFile("/nowhere/at/all"), Error);
  MetricsFile full("/dev/full");
  EXPECT_THROW(full.append({{"epoch", 1}}), Error);
}

TEST(Interrupt, TheFirstSignalAsksAndTheSecondEnds) {
  {
    const InterruptGuard guard;
    EXPECT_FALSE(interrupted());
    raise(SIGTERM);
    EXPECT_EQ(interrupting_signal(), SIGTERM);
  }
  const InterruptGuard again;
  EXPECT_FALSE(interrupted());
  const pid_t child = fork();
  if (child == 0) {
    raise(SIGINT);
    if (!interrupted()) _exit(1);
    raise(SIGINT);
    _exit(2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
}

}  // namespace
}  // namespace percale::train
