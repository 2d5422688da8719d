#include "file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "../error.h"

namespace percale::io {

Source::Source(std::string path) : name_(std::move(path)) {
  descriptor_ = open(name_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0)
    fail("read", "{}: expected a file, found none that can be read: {}", {name_, std::strerror(errno)});
  struct stat status;
  const bool regular = fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) {
    close(descriptor_);
    fail("read", "{}: expected a regular file, found {}",
         {name_, S_ISDIR(status.st_mode) ? "a folder" : "something else"});
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

Source::Source(std::string_view bytes, std::string name)
    : name_(std::move(name)), memory_(bytes), size_(bytes.size()) {}

Source::~Source() {
  if (descriptor_ >= 0) close(descriptor_);
}

void Source::read_at(uint64_t offset, void* target, size_t count) const {
  require(offset <= size_ && count <= size_ - offset, "read", "{}: expected {} bytes at {}, found the end at {}", name_,
          count, offset, size_);
  if (descriptor_ < 0) {
    if (count) std::memcpy(target, memory_.data() + offset, count);
    return;
  }
  for (size_t done = 0; done < count;) {
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t got = pread(descriptor_, static_cast<char*>(target) + done, count - done, at);
    if (got < 0 && errno == EINTR) continue;
    require(got > 0, "read", "{}: expected {} bytes at {}, found {}", name_, count - done, at,
            got < 0 ? std::strerror(errno) : "the end");
    done += static_cast<size_t>(got);
  }
}

std::shared_ptr<std::byte> Source::map() const {
  if (descriptor_ < 0 || size_ == 0) return nullptr;
  void* bytes = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor_, 0);
  if (bytes == MAP_FAILED) return nullptr;
  return {static_cast<std::byte*>(bytes), [size = size_](std::byte* mapped) { munmap(mapped, size); }};
}

std::string read_file(const std::string& path) {
  const Source source(path);
  std::string bytes(source.size(), '\0');
  source.read_at(0, bytes.data(), bytes.size());
  return bytes;
}

std::string shown(std::string_view piece) {
  constexpr size_t limit = 60;
  std::string result = "'";
  for (char character : piece.substr(0, limit)) result += character >= ' ' && character < 127 ? character : '?';
  return result + (piece.size() > limit ? "...'" : "'");
}

namespace {

/// While it lives, a write past the process's limit for files (ulimit -f) is an error like a full disk, not the end.
class NoFileSizeSignal {
 public:
  NoFileSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &previous_);
  }
  ~NoFileSizeSignal() {
    if (sigismember(&previous_, SIGXFSZ)) return;
    const timespec at_once{};
    sigtimedwait(&signal_, nullptr, &at_once);  // the one that a failed write has left
    pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }

 private:
  sigset_t signal_, previous_;
};

/// Opens and locks `path`, what a killed writer may have left there included. -1 if another writer is at it, or with
/// errno.
int open_temporary(const std::string& path) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0) return -1;
    struct stat opened, named;
    const bool is_ours = flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &opened) == 0 &&
                         stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino && S_ISREG(opened.st_mode) &&
                         ftruncate(descriptor, 0) == 0;
    if (is_ours) return descriptor;
    const int error = errno;
    close(descriptor);
    errno = error;
  }
  return -1;
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), temporary_(path_ + ".tmp") {
  descriptor_ = open_temporary(temporary_);
  if (descriptor_ < 0) {  // another process writes the same file: each takes a name of its own, and the last one wins
    temporary_ = path_ + ".XXXXXX";
    descriptor_ = mkostemp(temporary_.data(), O_CLOEXEC);
    if (descriptor_ >= 0) fchmod(descriptor_, 0644);
  }
  if (descriptor_ < 0) fail("write", "{}: cannot be created: {}", {path_, std::strerror(errno)});
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void AtomicFile::fail_with_errno(const char* action) {
  fail("write", "{}: {}: {}; the file is as it was", {path_, action, std::strerror(errno)});
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  const NoFileSizeSignal guard;
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_errno("cannot be written");
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) fail_with_errno("cannot be synced");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) fail_with_errno("cannot be renamed");
  close(descriptor_);
  descriptor_ = -1;
  const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
  const int folder = open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

void write_file(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace percale::io
