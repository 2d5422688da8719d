// Texts with labels: which columns, which labels, how they are split, and what is kept in the cache.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::data {
namespace {

using testing::message_of;

LabelledTexts read(const std::string& bytes, const std::string& text = {}, const std::string& label = {}) {
  return read_labelled_texts(io::Source(bytes, "x.csv"), text, label);
}

std::vector<int64_t> values(const Tensor& tensor) {
  const auto span = tensor.span<int64_t>();
  return {span.begin(), span.end()};
}

TEST(LabelledTexts, ColumnsAreFoundByNameOrPlace) {
  const LabelledTexts two = read("text,humor\n\"a, b\",True\nc,FALSE\n\"\",1\nd,0\n");
  EXPECT_EQ(two.texts, (std::vector<std::string>{"a, b", "c", "", "d"}));
  EXPECT_EQ(values(two.labels), (std::vector<int64_t>{1, 0, 1, 0}));
  EXPECT_EQ(two.name, "x.csv");
  EXPECT_EQ(read("funny,text\ntrue,hello\n").texts[0], "hello");
  EXPECT_EQ(read("title,funny\nhello,true\n").texts[0], "hello");
  EXPECT_EQ(read("id,text,funny\n7,hello,true\n", "", "funny").texts[0], "hello");
  EXPECT_EQ(read("id,title,funny\n7,hello,true\n", "title", "funny").texts[0], "hello");
}

TEST(LabelledTexts, MistakesNameFileLineAndColumn) {
  EXPECT_EQ(message_of([] { read("text,humor\na,true\nb,maybe\n"); }),
            "[csv] x.csv, line 3, column 2 (humor): expected true or false, found 'maybe'");
  EXPECT_EQ(message_of([] { read("text,humor\na,\n"); }),
            "[csv] x.csv, line 2, column 2 (humor): expected true or false, found an empty field");
  EXPECT_EQ(message_of([] { read("text,humor\na,2\n"); }),
            "[csv] x.csv, line 2, column 2 (humor): expected true or false, found '2'");
  EXPECT_NE(message_of([] { read("id,text,humor\n1,a,true\n"); }).find("name the one with the labels"),
            std::string::npos);
  EXPECT_NE(message_of([] { read("text,humor\na,true\n", "", "mood"); }).find("expected a column called mood"),
            std::string::npos);
  EXPECT_NE(message_of([] { read("text,humor\na,true\n", "", "text"); }).find("cannot be both"), std::string::npos);
  EXPECT_NE(message_of([] { read("text,humor\ncaf\xe9,true\n"); }).find("x.csv, line 2"), std::string::npos);
  EXPECT_NE(message_of([] { read(std::string("text,humor\na\0b,true\n", 20)); }).find("NUL"), std::string::npos);
}

TEST(LabelledTexts, TheShippedOnesAreDifferentAndHalfOfThemJokes) {
  const LabelledTexts shipped = shipped_texts();
  ASSERT_EQ(shipped.count(), 200);
  EXPECT_EQ(std::set<std::string>(shipped.texts.begin(), shipped.texts.end()).size(), 200u);
  EXPECT_EQ(sum(shipped.labels).item<int64_t>(), 100);
  const language::WordPiece tokenizer = language::small_vocabulary();
  for (const std::string& text : shipped.texts)
    for (const std::string& piece : tokenizer.tokenize(text)) EXPECT_NE(piece, "[UNK]") << text;
}

TEST(SmallVocabulary, GivesTheTutorialsSentenceItsEightTokens) {
  const language::WordPiece tokenizer = language::small_vocabulary();
  EXPECT_EQ(tokenizer("Hello, how are you?").input_ids.shape(), Shape({1, 8}));
  EXPECT_EQ(tokenizer.tokenize("Hello, how are you?"),
            (std::vector<std::string>{"hello", ",", "how", "are", "you", "?"}));
  EXPECT_EQ(tokenizer.padding_id(), 0);
  EXPECT_EQ(tokenizer.tokenize("Zyzzyva!").front().substr(0, 1), "z");
}

TEST(Split, EveryRowIsInOnePartAndTheSeedDecides) {
  const Split split = split_rows(100, 10, 20, 7);
  EXPECT_EQ(split.train.size(), 70u);
  EXPECT_EQ(split.validation.size(), 10u);
  EXPECT_EQ(split.test.size(), 20u);
  std::set<int64_t> all;
  for (const auto* part : {&split.train, &split.validation, &split.test}) {
    EXPECT_TRUE(std::is_sorted(part->begin(), part->end()));
    all.insert(part->begin(), part->end());
  }
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(split_rows(100, 10, 20, 7).test, split.test);
  EXPECT_NE(split_rows(100, 10, 20, 8).test, split.test);
  EXPECT_NE(message_of([] { split_rows(10, 5, 5, 0); }).find("leave none of 10"), std::string::npos);
  EXPECT_NE(message_of([] { split_rows(10, INT64_MAX, INT64_MAX, 0); }), "no error");
}

TEST(Split, InOrderTakesTheFirstRows) {
  const Split split = split_in_order(10, 4, 2, 3);
  EXPECT_EQ(split.train, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(split.validation, (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(split.test, (std::vector<int64_t>{6, 7, 8}));
  EXPECT_NE(message_of([] { split_in_order(10, 8, 2, 1); }).find("there are 10"), std::string::npos);
}

/// The cache in a folder of its own.
struct Cache : ::testing::Test {
  percale::testing::Folder folder;
  int computed = 0;

  void SetUp() override { setenv("XDG_CACHE_HOME", folder.path().c_str(), 1); }
  void TearDown() override { unsetenv("XDG_CACHE_HOME"); }
  Cached look(const std::string& key, const Shape& shape = {2, 3}) {
    return cached("vectors", key, shape, [&] { return ++computed, full(shape, 0.5); });
  }
};

TEST_F(Cache, ComputesOnceAndReadsThen) {
  const Cached first = look("abc"), second = look("abc");
  EXPECT_FALSE(first.found);
  EXPECT_TRUE(second.found);
  EXPECT_EQ(computed, 1);
  EXPECT_EQ(second.file, folder / "percale/vectors/abc.npy");
  EXPECT_EQ(second.value.shape(), Shape({2, 3}));
  EXPECT_EQ(second.value.data<float>()[5], 0.5f);
  look("abd");
  EXPECT_EQ(computed, 2);
}

TEST_F(Cache, WhatIsBrokenIsMadeAnew) {
  look("abc");
  std::filesystem::resize_file(folder / "percale/vectors/abc.npy", 100);
  EXPECT_FALSE(look("abc").found);
  EXPECT_TRUE(look("abc").found);
  EXPECT_FALSE(look("abc", {3, 2}).found);  // another shape: not what was asked for
  EXPECT_EQ(computed, 3);
}

TEST_F(Cache, TheEightThatWereUsedLastAreKept) {
  const auto file = [&](int number) {
    return folder / std::string("percale/vectors/").append(std::to_string(number)).append(".npy");
  };
  const auto now = std::filesystem::file_time_type::clock::now();
  for (int i = 0; i < 8; ++i) {
    look(std::to_string(i));
    std::filesystem::last_write_time(file(i), now - std::chrono::hours(9 - i));
  }
  EXPECT_TRUE(look("0").found);
  look("8");
  EXPECT_FALSE(std::filesystem::exists(file(1))) << "the one that nobody has used for the longest time";
  for (int i : {0, 2, 3, 4, 5, 6, 7, 8}) EXPECT_TRUE(std::filesystem::exists(file(i))) << i;
}

TEST_F(Cache, WithoutAPlaceToKeepItTheValueIsThereAllTheSame) {
  io::write_file(folder / "percale", "a file where the folder should be");
  const Cached result = look("abc");
  EXPECT_EQ(result.value.numel(), 6);
  EXPECT_EQ(result.file, "");
  EXPECT_NE(result.problem, "");
}

TEST_F(Cache, AModelsHashIsThatOfItsFiles) {
  std::filesystem::create_directories(folder / "m/1_Pooling");
  io::write_file(folder / "m/config.json", "{}");
  io::write_file(folder / "m/1_Pooling/config.json", "{}");
  const std::string first = sha256_of_model(folder / "m");
  io::write_file(folder / "m/README.md", "words");
  EXPECT_EQ(sha256_of_model(folder / "m"), first);
  io::write_file(folder / "m/1_Pooling/config.json", "{ }");
  EXPECT_NE(sha256_of_model(folder / "m"), first);
}

}  // namespace
}  // namespace percale::data
