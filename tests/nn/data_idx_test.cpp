// IDX files, plain and gzip: what stands in them, and one line for each thing that can be wrong.
#include <gtest/gtest.h>
#include <percale/core/allocator.h>
#include <percale/core/io/gzip.h>
#include <percale/nn/data/idx.h>

#include "../testing/folder.h"
#include "../testing/gzip.h"
#include "../testing/message_of.h"

namespace percale::data {
namespace {

using percale::testing::gzip;
using percale::testing::message_of;

std::string number(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string idx(uint32_t magic, const std::vector<uint32_t>& extents, const std::string& data) {
  std::string bytes = number(magic);
  for (uint32_t extent : extents) bytes += number(extent);
  return bytes + data;
}

std::string refusal(const std::string& bytes) {
  return message_of([&] { read_idx(io::Source(bytes, "x.idx"), 3); });
}

const std::string images = idx(2051, {2, 2, 3}, std::string("\0\1\2\3\4\5\6\7\10\11\12\13", 12));
const std::string labels = idx(2049, {2}, "\3\4");

TEST(Idx, PlainAndPackedHoldTheSame) {
  for (const std::string& bytes : {images, gzip(images), gzip(images.substr(0, 9)) + gzip(images.substr(9))}) {
    const Tensor tensor = read_idx(io::Source(bytes, "images"), 3);
    EXPECT_EQ(tensor.shape(), (Shape{2, 2, 3}));
    EXPECT_EQ(tensor.dtype(), u8);
    for (int i = 0; i < 12; ++i) EXPECT_EQ(tensor.data<uint8_t>()[i], i);
  }
}

TEST(Idx, EachFaultHasItsLine) {
  std::string corrupt = gzip(images + std::string(1000, 'x'));
  corrupt[10] = '\xff';  // the first byte after gzip's header: a kind of block that there is not
  std::string checksum = gzip(images);
  checksum[checksum.size() - 8] = static_cast<char>(checksum[checksum.size() - 8] ^ 1);
  const std::pair<std::string, std::string> cases[] = {
      {"", "expected a header of 16 bytes, found 0"},
      {images.substr(0, 15), "expected a header of 16 bytes, found 15"},
      {labels + images, "expected the magic number 2051 of bytes in 3 dimensions, found 2049"},
      {images.substr(0, 20), "expected 28 bytes for the header's [2, 2, 3], found 20"},
      {images + "x", "expected 28 bytes for the header's [2, 2, 3], found 29"},
      {gzip(images.substr(0, 20)), "expected 12 bytes for the header's [2, 2, 3], found 4: the file is truncated"},
      {gzip(images + "x"), "expected the end after the header's [2, 2, 3], found more bytes"},
      {gzip(images) + "xyz", "expected valid gzip data, found that other bytes follow its end"},
      {gzip(images).substr(0, 24), "expected more gzip data, found the end after 24 bytes: the file is truncated"},
      {corrupt, "expected valid gzip data, found that invalid block type"},
      {checksum, "expected valid gzip data, found that incorrect data check"},
      {idx(2051, {0xffffffff, 0xffffffff, 0xffffffff}, "abc"),
       "expected bytes for the header's [4294967295, 4294967295, 4294967295], found 19 bytes"},
      {gzip(idx(2051, {60000, 28, 28}, "abc")), "expected bytes for the header's [60000, 28, 28], found"},
      {idx(2051, {0, 0xffffffff, 0xffffffff}, ""), "expected bytes for the header's"},
  };
  for (const auto& [bytes, expected] : cases) {
    const std::string error = refusal(bytes);
    EXPECT_NE(error.find(expected), std::string::npos) << "expected: " << expected << "\ngot:      " << error;
    EXPECT_NE(error.find("] x.idx: "), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
}

TEST(Idx, ABigLieIsFoundOutBeforeItIsAllocated) {
  // Packs to 1/1000, so the header's 200 MB might be true of a file of 200 KB; it holds 150 MB.
  const std::string lie = gzip(idx(2051, {200, 1000, 1000}, std::string(150'000'000, '\0')));
  ASSERT_GT(lie.size() * 1032, 150'000'000u);
  const int64_t reserved = memory_stats(cpu_device).reserved_bytes;
  const std::string error = refusal(lie + gzip(std::string(60'000'000, '\0')).substr(0, 50'000));
  EXPECT_NE(error, "no error");
  EXPECT_LT(memory_stats(cpu_device).reserved_bytes - reserved, 64'000'000) << error;
}

TEST(Idx, ImagesAndLabelsMustMatch) {
  const percale::testing::Folder folder;
  io::write_file(folder / "images", gzip(images));
  io::write_file(folder / "labels", labels);
  const LabelledImages both = read_labelled_images(folder / "images", folder / "labels");
  EXPECT_EQ(both.images.shape(), (Shape{2, 1, 2, 3}));
  EXPECT_EQ(both.labels.dtype(), i64);
  EXPECT_EQ(both.labels.data<int64_t>()[1], 4);

  const auto error = [&](const std::string& content, int classes = 10) {
    io::write_file(folder / "labels", content);
    return message_of([&] { read_labelled_images(folder / "images", folder / "labels", classes); });
  };
  EXPECT_NE(error(idx(2049, {3}, "abc")).find("/labels: expected 2 labels for the images of "), std::string::npos);
  EXPECT_NE(error(labels, 4).find("/labels: expected labels of 0 to 3, found 4 at position 1"), std::string::npos);
}

}  // namespace
}  // namespace percale::data
