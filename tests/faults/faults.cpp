// Preloaded into a program, kills it or lets a call fail at a chosen moment of writing a file.
//
//   LD_PRELOAD=libpercale_faults.so PERCALE_FAULT=kill:fsync:2:model.ckpt PROGRAM
//
// ACTION:FUNCTION:NUMBER:NAME - at the NUMBERth call of write, fsync or rename for a file whose path contains NAME:
// `kill` before it (in a write: after half of the bytes), `kill_after` behind it, `full`: it fails for want of space;
// `interrupt`: SIGINT arrives before it.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

struct Fault {
  std::string action, function, name;
  long number = -1;

  Fault() {
    const char* text = std::getenv("PERCALE_FAULT");
    if (!text) return;
    const std::string all = text;
    const size_t first = all.find(':'), second = all.find(':', first + 1), third = all.find(':', second + 1);
    if (third == std::string::npos) return;
    action = all.substr(0, first);
    function = all.substr(first + 1, second - first - 1);
    number = std::atol(all.c_str() + second + 1);
    name = all.substr(third + 1);
  }
};

/// The action that is due at this call, or an empty text.
const std::string& due(const char* function, const std::string& path) {
  static const Fault fault;
  static std::atomic<long> calls{0};
  static const std::string nothing;
  if (fault.number < 0 || fault.function != function || path.find(fault.name) == std::string::npos) return nothing;
  return ++calls == fault.number ? fault.action : nothing;
}

std::string path_of(int descriptor) {
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path);
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : std::string();
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void end_now() { kill(getpid(), SIGKILL); }

/// Runs `call` as the fault asks.
template <class Call>
auto faulty(const std::string& action, Call call) -> decltype(call()) {
  if (action == "full") return errno = ENOSPC, -1;
  if (action == "kill") end_now();
  if (action == "interrupt") raise(SIGINT);
  const auto result = call();
  if (action == "kill_after") end_now();
  return result;
}

}  // namespace

extern "C" ssize_t write(int descriptor, const void* bytes, size_t count) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  const std::string& action = descriptor > 2 ? due("write", path_of(descriptor)) : due("", "");
  if (action == "kill") real(descriptor, bytes, count / 2);
  return faulty(action, [&] { return real(descriptor, bytes, count); });
}

extern "C" int fsync(int descriptor) {
  static const auto real = next<int (*)(int)>("fsync");
  return faulty(due("fsync", path_of(descriptor)), [&] { return real(descriptor); });
}

extern "C" int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return faulty(due("rename", to), [&] { return real(from, to); });
}
