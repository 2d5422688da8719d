#include "file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "../error.h"

namespace percale::io {

std::string read_file(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(descriptor >= 0, "read", "{}: {}", path, std::strerror(errno));
  struct Close {
    int descriptor;
    ~Close() { close(descriptor); }
  } const closer{descriptor};
  struct stat status;
  require(fstat(descriptor, &status) == 0, "read", "{}: {}", path, std::strerror(errno));
  require(S_ISREG(status.st_mode), "read", "{}: not a regular file", path);
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = read(descriptor, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, "read", "{}: {} after {} of {} bytes", path, count < 0 ? std::strerror(errno) : "ends", done,
            bytes.size());
    done += static_cast<size_t>(count);
  }
  return bytes;
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), temporary_(path_ + ".XXXXXX") {
  descriptor_ = mkostemp(temporary_.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail("write", "{}: cannot be created: {}", {path_, std::strerror(errno)});
  // mkstemp makes files that only their owner reads; ours are as open as any other file.
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor_, 0666 & ~mask);
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
