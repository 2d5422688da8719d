// SHA-256 (FIPS 180-4): how a downloaded file is known to be the right one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace percale::data {

class Sha256 {
 public:
  void add(std::string_view bytes);
  /// The digest of all that was added, as 64 hexadecimal digits; nothing may be added after it.
  std::string finish();

 private:
  void take_block(const uint8_t* block);

  uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint8_t pending_[64] = {};
  size_t pending_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

/// The digest of a file.
std::string sha256_of_file(const std::string& path);

}  // namespace percale::data
