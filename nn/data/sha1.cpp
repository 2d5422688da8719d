#include "sha1.h"

#include <algorithm>
#include <bit>
#include <filesystem>

namespace percale::data {

void Sha1::take_block(const uint8_t* block) {
  uint32_t words[80];
  read_words(block, words);
  for (int i = 16; i < 80; ++i) words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  constexpr uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
  uint32_t s[5];
  std::copy_n(state_, 5, s);
  for (int i = 0; i < 80; ++i) {
    const uint32_t choice = (s[1] & s[2]) | (~s[1] & s[3]), parity = s[1] ^ s[2] ^ s[3],
                   majority = (s[1] & s[2]) ^ (s[1] & s[3]) ^ (s[2] & s[3]);
    const uint32_t mixed = i < 20 ? choice : i >= 40 && i < 60 ? majority : parity;
    const uint32_t first = std::rotl(s[0], 5) + mixed + s[4] + constants[i / 20] + words[i];
    std::copy_backward(s, s + 4, s + 5);
    s[2] = std::rotl(s[2], 30);
    s[0] = first;
  }
  for (int i = 0; i < 5; ++i) state_[i] += s[i];
}

std::string Sha1::finish() { return finished(state_); }

std::string git_sha1_of_file(const std::string& path) {
  Sha1 digest;
  digest.add("blob " + std::to_string(std::filesystem::file_size(path)) + std::string(1, '\0'));
  add_file(digest, path);
  return digest.finish();
}

}  // namespace percale::data
