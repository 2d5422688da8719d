// Files read whole, and files written whole or not at all.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace percale::io {

/// The bytes of a file; an error that names it and the reason.
std::string read_file(const std::string& path);

/// A file that appears under its name only once it is complete: written beside it under a temporary name, synced, renamed.
/// Until `commit()` the old file stays; without it, and after any error, nothing is left behind.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view bytes) { write(std::as_bytes(std::span(bytes))); }
  /// Syncs, renames, and syncs the folder.
  void commit();

 private:
  [[noreturn]] void fail_with_errno(const char* action);

  std::string path_, temporary_;
  int descriptor_ = -1;
};

/// `bytes` under `path`, whole or not at all.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace percale::io
