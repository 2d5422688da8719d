// Starts our programs as a user does, and tells what they said, how they ended and what they took.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "../../core/io/file.h"
#include "../testing/folder.h"

namespace percale::testing {

/// A command line behind the program's name.
using Words = std::vector<std::string>;

inline Words with(Words first, const Words& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

/// What became of a program.
struct Ran {
  std::string out, error;        ///< on a terminal everything is in `out`
  int code = 0;                  ///< exit code; 128 + signal where a signal ended it
  double seconds = 0;            ///< by the clock: more where the machine has other things to do
  double processor_seconds = 0;  ///< of all its threads, in the program and in the system
  double megabytes = 0;          ///< peak resident memory
};

struct RunOptions {
  std::vector<std::pair<std::string, std::string>> environment = {};
  bool terminal = false;                 ///< standard streams are a pseudo-terminal
  double limit = 500;                    ///< seconds until it is killed
  double kill_after = 0;                 ///< seconds until SIGKILL, or 0
  std::string output_file = {};          ///< standard output goes there
  std::string input_file = "/dev/null";  ///< and standard input comes from here
};

namespace running {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] inline void become(const std::string& path, const std::vector<std::string>& arguments,
                                const RunOptions& options) {
  setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
  setenv("PERCALE_OFFLINE", "1", 1);
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> words{const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  execv(path.c_str(), words.data());
  _exit(127);
}

/// Appends what is there to read; false at the end.
inline bool drain(int descriptor, std::string& text) {
  char buffer[4096];
  const ssize_t count = read(descriptor, buffer, sizeof buffer);
  if (count > 0) text.append(buffer, static_cast<size_t>(count));
  return count > 0;
}

}  // namespace running

/// Runs build/apps/NAME with `arguments` until it ends.
inline Ran run_program(const std::string& name, const std::vector<std::string>& arguments,
                       const RunOptions& options = {}) {
  const std::string path = std::string(PERCALE_BINARY_DIR) + "/apps/" + name;
  int out[2] = {-1, -1}, error[2] = {-1, -1};
  pid_t child = 0;
  if (options.terminal) {
    struct winsize size = {.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    child = forkpty(&out[0], nullptr, nullptr, &size);
    if (child == 0) {
      setenv("TERM", "xterm", 1);
      running::become(path, arguments, options);
    }
  } else {
    if (pipe(out) != 0 || pipe(error) != 0) return {.out = {}, .error = "no pipe", .code = -1};
    child = fork();
    if (child == 0) {
      dup2(open(options.input_file.c_str(), O_RDONLY), 0);
      dup2(options.output_file.empty() ? out[1] : open(options.output_file.c_str(), O_WRONLY), 1);
      dup2(error[1], 2);
      for (const int descriptor : {out[0], out[1], error[0], error[1]}) close(descriptor);
      running::become(path, arguments, options);
    }
    close(out[1]);
    close(error[1]);
  }
  const auto start = running::Clock::now();
  Ran ran;
  std::vector<pollfd> streams{{out[0], POLLIN, 0}};
  if (!options.terminal) streams.push_back({error[0], POLLIN, 0});
  bool alive = true;
  while (alive) {
    poll(streams.data(), streams.size(), 20);
    alive = false;
    for (size_t i = 0; i < streams.size(); ++i) {
      if (streams[i].fd < 0) continue;
      if (streams[i].revents != 0 && !running::drain(streams[i].fd, i == 0 ? ran.out : ran.error))
        streams[i].fd = -streams[i].fd - 1;
      alive = alive || streams[i].fd >= 0;
    }
    const double seconds = running::seconds_since(start);
    if ((options.kill_after > 0 && seconds > options.kill_after) || seconds > options.limit) kill(child, SIGKILL);
  }
  int status = 0;
  struct rusage usage = {};
  wait4(child, &status, 0, &usage);
  ran.seconds = running::seconds_since(start);
  for (const timeval& time : {usage.ru_utime, usage.ru_stime})
    ran.processor_seconds += static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ran.megabytes = static_cast<double>(usage.ru_maxrss) / 1024;
  close(out[0]);
  if (!options.terminal) close(error[0]);
  return ran;
}

/// It ended with `code`, nothing on stdout and one line on stderr, which holds `says`.
inline void expect_refused(const Ran& ran, int code, const std::string& says) {
  EXPECT_EQ(ran.code, code) << ran.error << says;
  EXPECT_EQ(ran.out, "") << says;
  EXPECT_EQ(std::count(ran.error.begin(), ran.error.end(), '\n'), 1) << ran.error;
  EXPECT_NE(ran.error.find(says), std::string::npos) << ran.error << says;
}

/// The last line of what --metrics wrote to `path`.
inline nlohmann::json last_line(const std::string& path) {
  const std::string text = io::read_file(path);
  return nlohmann::json::parse(text.substr(text.rfind('\n', text.size() - 2) + 1));
}

/// The peak of this process's own memory.
inline double own_megabytes() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace percale::testing
