// Files that are not what they should be: one line, exit 1, at once, and no memory for what a header promises.
#include <gtest/gtest.h>

#include <optional>

#include "../testing/gzip.h"
#include "digits.h"
#include "run_program.h"

namespace percale {
namespace {

using testing::big_endian;
using testing::Folder;
using testing::gzip;
using testing::Ran;
using testing::run_program;

const std::string train_images = "train-images-idx3-ubyte", train_labels = "train-labels-idx1-ubyte",
                  test_images = "t10k-images-idx3-ubyte";

struct BadData : ::testing::Test {
  Folder folder;

  void SetUp() override { testing::write_digits(folder.path(), 100, 50); }

  /// `file` holds `bytes` instead (nothing: it is missing); the error names it and says why.
  void expect_refused(const std::string& file, const std::optional<std::string>& bytes, const std::string& says) {
    const std::string path = folder / file, before = io::read_file(path);
    std::filesystem::remove(path);
    if (bytes) io::write_file(path, *bytes);
    const Ran ran = run_program("mnist_cnn", {"--data", folder.path(), "--epochs", "1", "--quiet"});
    testing::expect_refused(ran, 1, says);
    EXPECT_NE(ran.error.find(file.substr(0, 10)), std::string::npos) << ran.error;
    EXPECT_LT(ran.processor_seconds, 1);
    EXPECT_LT(ran.megabytes, 100);
    io::write_file(path, before);
  }
};

TEST_F(BadData, IsRefusedInOneLine) {
  const std::string images = io::read_file(folder / train_images), labels = io::read_file(folder / train_labels);
  expect_refused(train_images, {}, "");
  expect_refused(train_labels, {}, "");
  expect_refused(train_images, "", "");
  expect_refused(train_images, images.substr(0, 7), "");
  expect_refused(train_images, images.substr(0, images.size() - 1), "");
  expect_refused(train_images, images + "x", "");
  expect_refused(train_images, "\x89PNG" + images.substr(4), "magic");
  expect_refused(train_images, labels, "magic");
  expect_refused(train_images, big_endian(0x803) + big_endian(2'000'000'000) + big_endian(28) + big_endian(28) + "x",
                 "");
  expect_refused(train_images,
                 big_endian(0x803) + big_endian(0x7fffffff) + big_endian(0x7fffffff) + big_endian(0x7fffffff), "");
  expect_refused(train_labels, labels.substr(0, 4) + big_endian(99) + labels.substr(8, 99), "99");
  expect_refused(train_labels, labels.substr(0, labels.size() - 1) + '\x0a', "10");
  expect_refused(test_images, big_endian(0x803) + big_endian(0) + big_endian(28) + big_endian(28), "");
  const std::string packed = gzip(images);
  std::string corrupt = packed;
  corrupt[corrupt.size() / 2] ^= 0x55;
  expect_refused(train_images, corrupt, "");
  corrupt = packed;
  corrupt[corrupt.size() - 6] ^= 0x55;  // the checksum
  expect_refused(train_images, corrupt, "gzip");
  expect_refused(train_images, packed.substr(0, packed.size() / 2), "gzip");
}

TEST_F(BadData, PackedFilesAreReadUnderEitherName) {
  io::write_file(folder / (train_images + ".gz"), gzip(io::read_file(folder / train_images)));
  std::filesystem::remove(folder / train_images);
  EXPECT_EQ(run_program("mnist_cnn", {"--data", folder.path(), "--epochs", "1"}).code, 0);
}

TEST_F(BadData, WeightsOfAnotherModelAreRefused) {
  io::write_file(folder / "w", "\x40\0\0\0\0\0\0\0{");
  const Ran ran = run_program("mnist_cnn", {"--data", folder.path(), "--load", folder / "w"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.error.find(folder / "w"), std::string::npos) << ran.error;
}

}  // namespace
}  // namespace percale
