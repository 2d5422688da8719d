// SHA-256 (FIPS 180-4): how a downloaded file is known to be the right one.
#pragma once

#include <cstdint>
#include <string>

#include "digest_blocks.h"

namespace percale::data {

class Sha256 final : public DigestBlocks {
 public:
  /// The digest of all that was added, as 64 hexadecimal digits; nothing may be added after it.
  std::string finish();

 private:
  void take_block(const uint8_t* block) override;

  uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
};

/// The digest of a file.
std::string sha256_of_file(const std::string& path);

}  // namespace percale::data
