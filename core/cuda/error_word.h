// How a kernel that meets a bad index becomes an exception, with the same text each run, and the context lives on.
//
// Each stream owns one ErrorRecord in device memory. A kernel that meets a bad index takes the record's lock and writes
// what it met, unless something earlier - by (operation number, position) - stands there already; so neither the order
// of blocks nor that of threads decides what is reported. The next synchronize() of the stream reads the record, clears
// it, and throws.
#pragma once

#include <cstdint>

#include "../index_error.h"
#include "runtime.h"

namespace percale::cuda {

/// In device memory, one a stream. Every byte is 0xff while nothing is wrong: so a fill clears it.
struct ErrorRecord {
  static constexpr uint64_t no_error = ~uint64_t{0};

  uint64_t operation;  ///< the number of the operation since the last report: the earliest wins
  int64_t position;    ///< within the operation the lowest wins
  int64_t value, bound;
  int64_t extents[Shape::max_rank];  ///< of the index tensor, to show the position in
  int32_t rank;
  int32_t site;   ///< which operation, and how its message reads
  uint32_t lock;  ///< `unlocked`, or 0 while a thread compares and writes

  static constexpr uint32_t unlocked = ~uint32_t{0};
};

/// What a kernel that checks indices takes as an argument, by value.
struct ErrorReporter {
  ErrorRecord* record;
  uint64_t operation;
  int64_t extents[Shape::max_rank];
  int32_t rank;
  int32_t site;
};

/// For a kernel that reads an index tensor of shape `index_shape` on `stream`. `operation` and `message` (as for
/// `fail_at`) are literals.
ErrorReporter error_reporter(const char* operation, const Shape& index_shape, Stream stream = current_stream(),
                             const char* message = index_message);
/// For a kernel that writes lasting state: it reads this and does nothing if an error is recorded.
const ErrorRecord* error_record(Stream stream = current_stream());

/// Forgets the record of a stream that is about to be destroyed.
void forget_error_record(Stream stream) noexcept;

}  // namespace percale::cuda
