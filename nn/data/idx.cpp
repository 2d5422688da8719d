#include "idx.h"

#include <algorithm>
#include <vector>

#include "../../core/io/gzip.h"

namespace percale::data {
namespace {

constexpr uint64_t spare = 64'000'000;  // what may be allocated beyond the file's size on the header's word

uint32_t big_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

[[noreturn]] void refuse(const io::Source& source, const std::string& expected, const std::string& found) {
  fail("idx", "{}: expected {}, found {}", {source.name(), expected, found});
}

struct Header {
  Shape shape;
  int64_t bytes = 1;
};

Header read_header(const io::Source& source, io::UnpackingReader& reader, int rank) {
  uint8_t bytes[4 + 4 * Shape::max_rank];
  const size_t size = 4 + 4 * static_cast<size_t>(rank);
  const size_t got = reader.read(bytes, size);
  const uint32_t magic = 0x800u + static_cast<uint32_t>(rank);
  if (got >= 4 && big_endian(bytes) != magic)
    refuse(source, "the magic number " + text(magic) + " of bytes in " + text(rank) + " dimensions",
           text(big_endian(bytes)));
  if (got < size) refuse(source, "a header of " + text(size) + " bytes", text(got));
  Header header;
  bool overflow = false, empty = false;
  for (int dim = 0; dim < rank; ++dim) {
    const int64_t extent = big_endian(bytes + 4 + 4 * dim);
    header.shape.push_back(extent);
    empty |= extent == 0;
    overflow |= __builtin_mul_overflow(header.bytes, std::max<int64_t>(extent, 1), &header.bytes);
  }
  const auto limit = static_cast<int64_t>(std::min<uint64_t>(reader.most_bytes(), INT64_MAX));
  if (overflow || (!empty && header.bytes > limit))
    refuse(source, "bytes for the header's " + text(header.shape), text(source.size()) + " bytes of file");
  if (empty) header.bytes = 0;
  if (!reader.is_packed() && size + static_cast<size_t>(header.bytes) != source.size())
    refuse(source, text(size + static_cast<size_t>(header.bytes)) + " bytes for the header's " + text(header.shape),
           text(source.size()));
  return header;
}

/// Unpacks to the end without keeping anything: what a big file says of its size is believed only after that.
void verify(const io::Source& source, int rank) {
  io::UnpackingReader reader(source);
  const Header header = read_header(source, reader, rank);
  std::vector<uint8_t> buffer(65536);
  int64_t total = 0;
  while (const size_t got = reader.read(buffer.data(), buffer.size())) total += static_cast<int64_t>(got);
  if (total != header.bytes)
    refuse(source, text(header.bytes) + " bytes for the header's " + text(header.shape), text(total));
}

}  // namespace

Tensor read_idx(const std::string& path, int rank) { return read_idx(io::Source(path), rank); }

Tensor read_idx(const io::Source& source, int rank) {
  require(rank >= 1 && rank <= Shape::max_rank, "idx", "rank must be 1 to 8, got {}", rank);
  io::UnpackingReader reader(source);
  const Header header = read_header(source, reader, rank);
  if (static_cast<uint64_t>(header.bytes) > source.size() + spare) verify(source, rank);
  Tensor result = Tensor::empty(header.shape, {u8, cpu_device});
  const size_t expected = static_cast<size_t>(header.bytes), got = reader.read(result.data(), expected);
  if (got < expected)
    refuse(source, text(header.bytes) + " bytes for the header's " + text(header.shape),
           text(got) + ": the file is truncated");
  uint8_t more = 0;
  if (reader.read(&more, 1)) refuse(source, "the end after the header's " + text(header.shape), "more bytes");
  return result;
}

LabelledImages read_labelled_images(const std::string& images, const std::string& labels, int classes) {
  const Tensor pictures = read_idx(images, 3), bytes = read_idx(labels, 1);
  require(pictures.size(0) == bytes.size(0), "idx", "{}: expected {} labels for the images of {}, found {}", labels,
          pictures.size(0), images, bytes.size(0));
  require(pictures.numel() > 0, "idx", "{}: expected at least one image, found {}", images, pictures.shape());
  const uint8_t* label = bytes.data<uint8_t>();
  const auto wrong = std::find_if(label, label + bytes.numel(), [&](uint8_t value) { return value >= classes; });
  require(wrong == label + bytes.numel(), "idx", "{}: expected labels of 0 to {}, found {} at position {}", labels,
          classes - 1, static_cast<int>(wrong == label + bytes.numel() ? 0 : *wrong), wrong - label);
  return {pictures.unsqueeze(1), bytes.to(i64)};
}

}  // namespace percale::data
