// Vocabularies: exact counts however a text is cut, ties, folding, files, and bad input.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <map>
#include <random>

#include "../../nn/text/text_blocks.h"
#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::language {
namespace {

using percale::testing::message_of;

WordCounts counts_of(const std::string& text, const CountOptions& options = {}) {
  return count_words(io::Source(text, "a text"), options);
}

using Words = std::vector<std::pair<std::string, uint64_t>>;

TEST(Vocabulary, FrequentWordsFirstAndTiesByTheirBytes) {
  const WordCounts counts = counts_of("b a c\n\n a  b\td\r\nab a", {.most = 3});
  EXPECT_EQ(counts.words, (Words{{"a", 3}, {"b", 2}, {"ab", 1}}));
  EXPECT_EQ(counts.others, 2u);
  EXPECT_EQ(counts.distinct, 5u);
  const Vocabulary vocabulary(counts);
  EXPECT_EQ(vocabulary.size(), 4);
  EXPECT_EQ(vocabulary["ab"], 2);
  EXPECT_EQ(vocabulary["c"], vocabulary.others());
  EXPECT_EQ(vocabulary.word(0), "a");
  EXPECT_EQ(vocabulary.word(3), "<other>");
  EXPECT_EQ(vocabulary.count(3), 2u);
  EXPECT_EQ(vocabulary.ids(" b  zebra a "), (std::vector<int64_t>{1, 3, 0}));
  EXPECT_NE(message_of([&] { vocabulary.word(4); }).find("index 4 is out of range for 4 entries"), std::string::npos);
}

TEST(Vocabulary, RareAndDroppedWords) {
  const WordCounts counts = counts_of("x x y <unk> <unk> <unk> z", {.drop = {"<unk>"}, .min_count = 2});
  EXPECT_EQ(counts.words, (Words{{"x", 2}}));
  EXPECT_EQ(counts.others, 2u);
}

TEST(Vocabulary, FoldsLettersBeyondAscii) {
  const WordCounts counts = counts_of("\u00c4pfel \u00e4PFEL \u0416 \u0436 \u0436", {.lower = true});
  EXPECT_EQ(counts.words, (Words{{"\u0436", 3}, {"\u00e4pfel", 2}}));
  EXPECT_EQ(counts_of("\u00c4 \u00e4").words.size(), 2u);
}

/// Random words of all lengths over several blocks, against a map; every number of threads.
TEST(Vocabulary, CountsAreExactAcrossBlocksAndThreads) {
  std::mt19937 random(7);
  std::string text;
  std::map<std::string, uint64_t> expected;
  uint64_t overlong = 0;
  while (text.size() < 3 * TextBlocks::bytes + 1000) {
    const size_t length = random() % 200 == 0 ? longest_word - 2 + random() % 5 : 1 + random() % 6;
    std::string word;
    for (size_t i = 0; i < length; ++i) word += static_cast<char>('a' + random() % 4);
    if (length > longest_word)
      ++overlong;
    else
      ++expected[word];
    text += word + (random() % 9 ? " " : "\n");
  }
  const int threads = cpu::num_threads();
  for (const int used : {1, 2}) {
    cpu::set_num_threads(used);
    uint64_t last = 0;
    const WordCounts counts = counts_of(text, {.progress = [&](uint64_t done, uint64_t all) {
                                          EXPECT_EQ(all, text.size());
                                          last = std::max(last, done);
                                        }});
    EXPECT_EQ(counts.distinct, expected.size());
    EXPECT_EQ(counts.others, overlong);
    EXPECT_GT(last, 0u);
    std::map<std::string, uint64_t> found(counts.words.begin(), counts.words.end());
    EXPECT_EQ(found, expected);
  }
  cpu::set_num_threads(threads);
}

TEST(Vocabulary, SavesAndLoads) {
  const percale::testing::Folder folder;
  const std::string path = folder / "vocabulary.txt";
  const Vocabulary vocabulary(counts_of("the cat and the dog and the bird", {.most = 3}));
  vocabulary.save(path);
  EXPECT_EQ(io::read_file(path), "vocabulary 3 2\nthe 3\nand 2\nbird 1\n");
  const Vocabulary loaded = Vocabulary::load(path);
  EXPECT_EQ(loaded.words(), vocabulary.words());
  EXPECT_EQ(loaded["and"], 1);
  EXPECT_EQ(loaded.count(loaded.others()), 2u);
}

TEST(Vocabulary, BadTextsAndFiles) {
  const auto says = [](const std::string& error, const std::string& part) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  says(message_of([] { counts_of(""); }), "[count_words] a text: expected a text, found no word");
  says(message_of([] { counts_of(" \n "); }), "found no word");
  says(message_of([] { counts_of("ab \xff"); }), "a text: expected UTF-8, found the byte 255 at 3");
  says(message_of([] { counts_of(std::string("ab c\0d", 6)); }), "found a NUL at byte 4");
  says(message_of([] { counts_of("a", {.most = 0}); }), "at least 1 word, got 0");
  const auto load = [](const std::string& text) {
    return message_of([&] { Vocabulary::load(io::Source(text, "file")); });
  };
  says(load(""), "file: line 1: expected `vocabulary WORDS OTHERS`, found the end");
  says(load("vocabulary 2 0\na 2\n"), "line 3: expected `WORD COUNT`, found the end");
  says(load("vocabulary 2 0\na 2\nb 3\n"), "words must stand by frequency");
  says(load("vocabulary 2 0\na 2\na 1\n"), "is there twice");
  says(load("vocabulary 1 0\na x\n"), "line 2: expected `WORD COUNT`");
  says(load("vocabulary 1 0\na 2\nb 1\n"), "line 3: expected the end");
}

}  // namespace
}  // namespace percale::language
