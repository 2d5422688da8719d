// Files read whole or in pieces, and files written whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace percale::io {

/// Bytes to read from: a regular file, or memory that stands for one. Every error names it.
class Source {
 public:
  explicit Source(std::string path);
  /// `bytes` must outlive this; `name` is what errors call it.
  Source(std::string_view bytes, std::string name);
  ~Source();
  Source(const Source&) = delete;

  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }
  /// Exactly `count` bytes from `offset`; an error if the file is shorter.
  void read_at(uint64_t offset, void* target, size_t count) const;
  /// The file in memory, of which only what is touched is read; what is written there stays this process's own. Null
  /// for bytes that are in memory already, or where the system refuses. While it is in use the file may be replaced, as
  /// AtomicFile does, but not cut short.
  std::shared_ptr<std::byte> map() const;

 private:
  std::string name_;
  std::string_view memory_;
  uint64_t size_ = 0;
  int descriptor_ = -1;
};

/// The bytes of a file; an error that names it and the reason.
std::string read_file(const std::string& path);

/// A piece of a file as messages show it: quoted, on one line, cut after 60 characters.
std::string shown(std::string_view piece);

/// A file that appears under its name only once it is complete: written beside it under a temporary name, synced,
/// renamed. Until `commit()` the old file stays; without it, and after any error, nothing is left behind.
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
