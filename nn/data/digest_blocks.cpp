#include "digest_blocks.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "../../core/io/file.h"

namespace percale::data {

void DigestBlocks::add(std::string_view bytes) {
  total_bytes_ += bytes.size();
  while (!bytes.empty()) {
    const size_t count = std::min(bytes.size(), sizeof pending_ - pending_bytes_);
    std::memcpy(pending_ + pending_bytes_, bytes.data(), count);
    pending_bytes_ += count;
    bytes.remove_prefix(count);
    if (pending_bytes_ == sizeof pending_) take_block(pending_), pending_bytes_ = 0;
  }
}

void DigestBlocks::read_words(const uint8_t* block, uint32_t* words) {
  for (int i = 0; i < 16; ++i)
    words[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 | uint32_t{block[4 * i + 2]} << 8 |
               block[4 * i + 3];
}

std::string DigestBlocks::finished(std::span<const uint32_t> state) {
  const uint64_t bits = total_bytes_ * 8;
  std::string padding(1 + (119 - total_bytes_ % 64) % 64, '\0');
  padding[0] = '\x80';
  for (int shift = 56; shift >= 0; shift -= 8) padding += static_cast<char>(bits >> shift);
  add(padding);
  std::string digits;
  for (uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[word >> shift & 15];
  return digits;
}

void add_file(DigestBlocks& digest, const std::string& path) {
  const io::Source source(path);
  std::vector<char> piece(1 << 16);
  for (uint64_t at = 0; at < source.size(); at += piece.size()) {
    const size_t count = std::min<uint64_t>(piece.size(), source.size() - at);
    source.read_at(at, piece.data(), count);
    digest.add({piece.data(), count});
  }
}

}  // namespace percale::data
