// Safetensors: what is written reads back, Python's bytes read as they should, and what the format forbids is refused.
#include <gtest/gtest.h>
#include <percale/core/io/safetensors.h>
#include <percale/kernels/fill/fill.h>

#include <cstring>
#include <filesystem>

#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::io {
namespace {

std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

/// The error that `bytes` as a file meet.
std::string refusal(const std::string& bytes) {
  return percale::testing::message_of([&] { load_safetensors(Source(bytes, "x.safetensors")); });
}

std::string bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.data()), static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype())};
}

TEST(Safetensors, EveryDtypeAndRankReadsBack) {
  const percale::testing::Folder folder;
  const std::string path = folder / "all";
  NamedTensors tensors;
  for (DType dtype : {f32, f64, f16, bf16, i64, i32, u8, boolean}) {
    const Tensor values = arange(0, 24, 1, {i64, cpu_device});
    tensors.emplace_back("1." + text(dtype),
                         (dtype == boolean ? values.to(boolean) : values.to(dtype)).reshape({2, 3, 4}));
    tensors.emplace_back("2." + text(dtype), full({}, 1, {dtype, cpu_device}));
    tensors.emplace_back("3." + text(dtype), zeros({0, 5}, {dtype, cpu_device}));
  }
  for (bool sorted : {false, true}) {
    save_safetensors(path, tensors, {.metadata = {{"format", "pt"}, {"é\"\n", "x"}}, .sorted = sorted});
    const Safetensors read = load_safetensors(path);
    EXPECT_EQ(read.metadata, (Metadata{{"format", "pt"}, {"é\"\n", "x"}}));
    ASSERT_EQ(read.tensors.size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
      const Tensor found = read.find(name);
      ASSERT_TRUE(found.defined()) << name;
      EXPECT_EQ(found.dtype(), tensor.dtype());
      EXPECT_EQ(found.shape(), tensor.shape());
      EXPECT_EQ(bytes_of(found), bytes_of(tensor)) << name;
    }
    uint64_t length = 0;
    std::memcpy(&length, read_file(path).data(), 8);
    EXPECT_EQ(length % 8, 0u);
  }
  EXPECT_EQ(load_safetensors(path).tensors[0].first, "1.f64") << "sorted: the widest dtype first, then by name";
}

TEST(Safetensors, ImagesAreWrittenInLogicalOrder) {
  const percale::testing::Folder folder;
  const std::string path = folder / "channels_last";
  const Tensor weight = arange(0, 24, 1, {f32, cpu_device}).reshape({2, 3, 2, 2});
  save_safetensors(path, {{"weight", weight.channels_last()}, {"t", weight.reshape({4, 6}).t()}});
  const Safetensors read = load_safetensors(path);
  EXPECT_EQ(bytes_of(read.find("weight")), bytes_of(weight));
  EXPECT_EQ(read.find("t").shape(), (Shape{6, 4}));
  EXPECT_EQ(read.find("t").data<float>()[1], 6);
}

TEST(Safetensors, ReadsWhatPythonWrites) {
  // safetensors.torch.save({"b": torch.tensor([1.5, -2.0]), "a": torch.tensor([[7]])}, {"format": "pt"}), 0.8.0
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})";
  const float values[] = {1.5f, -2.0f};
  const std::string bytes = file_of(
      header + "   ", std::string("\7\0\0\0\0\0\0\0", 8) + std::string(reinterpret_cast<const char*>(values), 8));
  const Safetensors read = load_safetensors(Source(bytes, "python"));
  EXPECT_EQ(read.find("a").item<int64_t>(), 7);
  EXPECT_EQ(read.find("b").data<float>()[1], -2.0f);
  EXPECT_FALSE(read.find("c").defined());
}

TEST(Safetensors, RefusesWhatTheFormatForbids) {
  const auto tensor = [](const std::string& rest) { return R"({"a":{"dtype":"U8",)" + rest + "}}"; };
  const auto one = [](const std::string& name, const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":"U8","shape":[2],"data_offsets":[)" + offsets + "]}";
  };
  const std::pair<std::string, std::string> cases[] = {
      {"abc", "expected a header length of 8 bytes, found 3 bytes"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8),
       "header length: expected at most 100000000, found 18446744073709551615"},
      {std::string("\x09\0\0\0\0\0\0\0{}", 10), "header length: expected at most the 2 bytes that follow, found 9"},
      {file_of(""), "expected it to begin with '{'"},
      {file_of(" {}"), "expected it to begin with '{', found ' '"},
      {file_of("{"), "expected JSON in UTF-8, found a parse error"},
      {file_of("{} x"), "expected JSON in UTF-8, found a parse error"},
      {file_of("{\"\xff\":1}"), "expected JSON in UTF-8, found a parse error"},
      {file_of(std::string("{}\0", 3)), "found a NUL at byte 2"},
      {file_of("{\"a\":[1]}"), "expected an object for each name, found a list"},
      {file_of(tensor(R"("shape":[1])")), "'a': expected dtype, shape and data_offsets, found no data_offsets"},
      {file_of(tensor(R"("shape":[1],"dtype":"U8")")), "'a': expected one dtype, found two"},
      {file_of(tensor(R"("x":[1])")), "found 'x'"},
      {file_of(tensor(R"("shape":[1.0])")), "expected numbers of 0 or more, found '1.0'"},
      {file_of(tensor(R"("shape":[-1])")), "expected numbers of 0 or more, found -1"},
      {file_of(tensor(R"("shape":["1"])")), "expected numbers of 0 or more, found '1'"},
      {file_of(tensor(R"("shape":[9223372036854775808])")), "an extent of 9223372036854775808 is too large"},
      {file_of(tensor(R"("shape":[1,1,1,1,1,1,1,1,1])")), "expected at most 8 dimensions"},
      {file_of(tensor(R"("shape":[4294967296,4294967296],"data_offsets":[0,0])")),
       "[4294967296, 4294967296] is too large"},
      {file_of(tensor(R"("shape":[2],"data_offsets":[0,2,3])")), "expected 2 numbers, found 3"},
      {file_of(tensor(R"("shape":[3],"data_offsets":[0,2])"), "ab"),
       "expected 3 bytes for U8 of shape [3], found 0 to 2"},
      {file_of(tensor(R"("shape":[3],"data_offsets":[0,3])"), "ab"),
       "expected them within 2 bytes of data, found 0 to 3"},
      {file_of(tensor(R"("shape":[2],"data_offsets":[2,0])"), "ab"), "found 2 to 0"},
      {file_of(tensor(R"("shape":[1],"data_offsets":[0,1])"), "ab"), "expected 1 bytes of data, found 2"},
      {file_of("{" + one("a", "0,2") + "," + one("b", "1,3") + "}", "abc"),
       "expected a start at 2, found 1: tensors overlap"},
      {file_of("{" + one("a", "0,2") + "," + one("b", "3,5") + "}", "abcde"), "expected a start at 2, found 3: a hole"},
      {file_of("{" + one("a", "0,2") + "," + one("a", "2,4") + "}", "abcd"),
       "expected each name once, found 'a' twice"},
      {file_of("{" + one("a", "0,2") + "," + one("\\u0061", "2,4") + "}", "abcd"), "found 'a' twice"},
      {file_of(R"({"a":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}})", "ab"), "found 'I16'"},
      {file_of(R"({"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", "\1\2"),
       "expected booleans of 0 or 1, found 2 at 1"},
      {file_of(R"({"__metadata__":{"a":1}})"), "expected strings in __metadata__, found 1"},
      {file_of(R"({"__metadata__":{"a":"b","a":"c"}})"), "expected each name once, found 'a' twice"},
      {file_of(R"({"__metadata__":{},"__metadata__":{}})"), "expected one __metadata__"},
  };
  for (const auto& [bytes, expected] : cases) {
    const std::string error = refusal(bytes);
    EXPECT_NE(error.find(expected), std::string::npos) << "expected: " << expected << "\ngot:      " << error;
    EXPECT_EQ(error.find("[safetensors] x.safetensors: "), 0u) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
}

TEST(Safetensors, AHeaderOfLiesCostsNoMemory) {
  std::string deep = "{\"a\":", names = "{", text = "{\"__metadata__\":{\"a\":\"";
  deep.append(4'000'000, '[');
  text.append(9'000'000, 'x');
  for (int i = 0; i < 100'001; ++i)
    names += (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_NE(refusal(file_of(deep)).find("found a list"), std::string::npos);
  EXPECT_NE(refusal(file_of(names + "}")).find("expected at most 100000 names"), std::string::npos);
  EXPECT_NE(refusal(file_of(text + "\"}}")).find("over 8000000 bytes"), std::string::npos);
}

TEST(Safetensors, RefusesToWriteWhatNobodyCouldRead) {
  const Tensor one = zeros({1});
  const percale::testing::Folder folder;
  EXPECT_THROW(save_safetensors(folder / "bad", {{"a", one}, {"a", one}}), Error);
  EXPECT_THROW(save_safetensors(folder / "bad", {{"\xff", one}}), Error);
  EXPECT_THROW(save_safetensors(folder / "bad", {{"__metadata__", one}}), Error);
  EXPECT_THROW(save_safetensors(folder / "bad", {{"a", Tensor()}}), Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "bad"));
  EXPECT_THROW(save_safetensors("/nowhere/at/all", {{"a", one}}), Error);
  EXPECT_THROW(load_safetensors("/nowhere/at/all"), Error);
  EXPECT_THROW(load_safetensors("/"), Error);
}

}  // namespace
}  // namespace percale::io
