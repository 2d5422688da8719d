// A file read from the front, unpacked on the way if it is gzip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "file.h"

namespace percale::io {

/// Reads a Source from its beginning; where that begins as gzip does (RFC 1952, one member or several) what comes out
/// is unpacked and its checksums are verified. An error names file, what was expected and what was found. Needs 100 KB.
class UnpackingReader {
 public:
  explicit UnpackingReader(const Source& source);
  ~UnpackingReader();

  bool is_packed() const { return inflater_ != nullptr; }
  /// Up to `count` bytes; fewer only at the end.
  size_t read(void* target, size_t count);
  /// The most bytes that the file can hold once unpacked: deflate packs no more than 1032 into one.
  uint64_t most_bytes() const;

 private:
  struct Inflater;

  size_t unpack(void* target, size_t count);

  const Source& source_;
  uint64_t position_ = 0;
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace percale::io
