// Feeds a fuzz target its corpus without libFuzzer: each file, its beginnings, and the file with one byte changed.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

// Copied to a buffer of exactly its size, so that a sanitizer sees one byte read too many.
void run(const Bytes& bytes, size_t size) {
  const Bytes exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

// Headers stand at the front, so the first bytes are tried one by one and the rest by strides.
std::vector<size_t> positions(size_t size) {
  std::vector<size_t> result;
  for (size_t at = 0; at < size; at += at < 128 ? 1 : std::max<size_t>(1, size / 128)) result.push_back(at);
  return result;
}

void run_with_neighbours(Bytes bytes) {
  run(bytes, bytes.size());
  for (size_t at : positions(bytes.size())) {
    run(bytes, at);
    for (uint8_t change : {0x01, 0x80, 0xff}) {
      bytes[at] ^= change;
      run(bytes, bytes.size());
      bytes[at] ^= change;
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(arguments[i])) files.push_back(entry.path());
  }
  if (files.empty())
    return std::fprintf(stderr, "usage: %s FOLDER..., each with the files of a corpus\n", arguments[0]), 2;
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);
    std::ifstream file(path, std::ios::binary);
    run_with_neighbours(Bytes(std::istreambuf_iterator<char>(file), {}));
  }
  return 0;
}
