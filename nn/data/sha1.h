// SHA-1 (FIPS 180-4): by which git, and so the hub, names the contents of small files.
#pragma once

#include <cstdint>
#include <string>

#include "digest_blocks.h"

namespace percale::data {

class Sha1 final : public DigestBlocks {
 public:
  /// The digest of all that was added, as 40 hexadecimal digits; nothing may be added after it.
  std::string finish();

 private:
  void take_block(const uint8_t* block) override;

  uint32_t state_[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
};

/// git's name of a file's contents, as `git hash-object FILE` prints it: of "blob SIZE", a NUL and the bytes.
std::string git_sha1_of_file(const std::string& path);

}  // namespace percale::data
