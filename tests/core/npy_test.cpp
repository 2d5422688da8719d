// NumPy's files: what is written reads back, NumPy's bytes read as they should, and the rest is refused.
#include <gtest/gtest.h>
#include <percale/core/io/npy.h>
#include <percale/kernels/fill/fill.h>

#include <cstring>

#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::io {
namespace {

std::string file_of(const std::string& header, const std::string& data = "", char version = 1) {
  const auto length = static_cast<uint32_t>(header.size());
  return std::string("\x93NUMPY") + version + '\0' +
         std::string(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4) + header + data;
}

std::string refusal(const std::string& bytes) {
  return percale::testing::message_of([&] { load_npy(Source(bytes, "x.npy")); });
}

TEST(Npy, EveryDtypeAndRankReadsBack) {
  const percale::testing::Folder folder;
  const std::string path = folder / "all";
  for (DType dtype : {f32, f64, f16, i64, i32, u8, boolean}) {
    for (const Shape& shape : {Shape{}, Shape{24}, Shape{2, 12}, Shape{2, 3, 4}, Shape{3, 0}}) {
      Tensor tensor = zeros(shape, {dtype, cpu_device});
      if (shape.numel() == 24) tensor.copy_(arange(0, 24, 1, {i64, cpu_device}).reshape(shape));
      save_npy(path, tensor);
      const Tensor read = load_npy(path);
      EXPECT_EQ(read.shape(), shape);
      ASSERT_EQ(read.dtype(), dtype);
      EXPECT_EQ(std::memcmp(read.data(), tensor.data(), static_cast<size_t>(shape.numel()) * size_of(dtype)), 0);
      EXPECT_EQ((read_file(path).size() - static_cast<size_t>(shape.numel()) * size_of(dtype)) % 64, 0u);
    }
  }
}

TEST(Npy, WritesNumpysBytesAndLogicalOrder) {
  const percale::testing::Folder folder;
  const std::string path = folder / "bytes";
  save_npy(path, arange(0, 6, 1, {u8, cpu_device}).reshape({3, 2}).t());
  std::string expected = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";  // as numpy.save pads it
  expected.append(117 - expected.size(), ' ');
  EXPECT_EQ(read_file(path), file_of(expected + "\n", std::string("\0\2\4\1\3\5", 6)));
  EXPECT_THROW(save_npy(path, zeros({2}, {bf16, cpu_device})), Error);
}

TEST(Npy, ReadsEveryVersionAndFortransOrder) {
  const std::string data("\0\1\2\3\4\5", 6);
  for (char version : {1, 2, 3}) {
    const Tensor c =
        load_npy(Source(file_of("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n", data, version), "c"));
    EXPECT_EQ(c.data<uint8_t>()[1], 1);
    const Tensor f =
        load_npy(Source(file_of("{\"shape\":(2,3),'fortran_order':True,'descr':'|u1'}", data, version), "f"));
    EXPECT_TRUE(f.is_contiguous());
    EXPECT_EQ(f.data<uint8_t>()[1], 2);
    EXPECT_EQ(f.data<uint8_t>()[3], 1);
  }
}

TEST(Npy, RefusesTheRest) {
  const auto header = [](const std::string& descr, const std::string& shape) {
    return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  };
  const std::pair<std::string, std::string> cases[] = {
      {"abc", "expected a header of at least 10 bytes, found 3 bytes"},
      {"not an npy file", "expected a file that begins with \\x93NUMPY, found 'not an'"},
      {file_of("{}", "", 4), "expected version 1.0, 2.0 or 3.0, found 4.0"},
      {file_of("{}").substr(0, 11), "header length: expected at most 1, found 2"},
      {file_of("{}"), "expected descr, fortran_order and shape, found no descr"},
      {file_of(header(">f4", "(1,)")), "expected a descr of <f4, <f8, <f2, <i8, <i4, |u1 or |b1, found ''>f4'"},
      {file_of(header("|O", "(1,)")), "found ''|O'"},
      {file_of("{'descr': [('a', '<f4')]"), "expected a string, found '[("},
      {file_of(header("<f4", "(1)")), "expected ',', found ')"},
      {file_of(header("<f4", "(1 2)")), "expected ',', found '2)"},
      {file_of(header("<f4", "(-1,)")), "expected an extent, found '-1"},
      {file_of(header("<f4", "(1L,)")), "found 'L"},
      {file_of(header("<f4", "(99999999999999999999,)")), "expected an extent below 2^63"},
      {file_of(header("<f4", "(4294967296, 4294967296)")), "is too large"},
      {file_of(header("<f4", "(1,1,1,1,1,1,1,1,1)")), "expected at most 8 dimensions"},
      {file_of(header("<f4", "(1,)") + "x", "abcd"), "expected the end of the header, found 'x'"},
      {file_of(header("<f4", "(1,)"), "abc"), "expected 4 bytes of data for f32 of shape [1], found 3"},
      {file_of(header("<f4", "(1,)"), "abcde"), "expected 4 bytes of data for f32 of shape [1], found 5"},
      {file_of(header("|b1", "(2,)"), "\1\3"), "expected booleans of 0 or 1, found 3 at 1"},
  };
  for (const auto& [bytes, expected] : cases) {
    const std::string error = refusal(bytes);
    EXPECT_NE(error.find(expected), std::string::npos) << "expected: " << expected << "\ngot:      " << error;
    EXPECT_EQ(error.find("[npy] x.npy: "), 0u) << error;
  }
}

}  // namespace
}  // namespace percale::io
