// What SHA-1 and SHA-256 share: bytes taken 64 at a time, and the padding behind the last of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace percale::data {

class DigestBlocks {
 public:
  void add(std::string_view bytes);

 protected:
  ~DigestBlocks() = default;
  virtual void take_block(const uint8_t* block) = 0;
  /// The 16 words of a block that every round begins with.
  static void read_words(const uint8_t* block, uint32_t* words);
  /// Adds the padding; then the state's words as hexadecimal digits.
  std::string finished(std::span<const uint32_t> state);

 private:
  uint8_t pending_[64] = {};
  size_t pending_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

/// Adds a whole file, piece by piece.
void add_file(DigestBlocks& digest, const std::string& path);

}  // namespace percale::data
