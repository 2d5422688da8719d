// Word vectors: neighbours, files both ways and lying ones, evaluation, encoding, and a model that learns from
// sentences.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "../testing/message_of.h"

namespace percale::language {
namespace {

using percale::testing::message_of;

void says(const std::string& error, const std::string& part) {
  EXPECT_NE(error.find(part), std::string::npos) << error;
}

class WordVectorsTest : public ::testing::Test {
 protected:
  std::string folder = ::testing::TempDir() + "word_vectors_test/";
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string& name, const std::string& bytes) const {
    io::write_file(folder + name, bytes);
    return folder + name;
  }
};

WordVectors five() {
  return {{"right", "up", "left", "near", "k\u00f6nig"}, tensor({{2, 0}, {0, 1}, {-1, 0}, {3, 1}, {0.1f, 1e-20f}})};
}

TEST_F(WordVectorsTest, NearestByEachDistance) {
  const WordVectors vectors = five();
  EXPECT_EQ(vectors.row("left"), 2);
  EXPECT_EQ(vectors.find("down"), -1);
  says(message_of([&] { vectors.row("down"); }), "there is no vector for 'down'");
  EXPECT_NEAR(vectors.similarity(0, 3), 3 / std::sqrt(10.0), 1e-7);
  EXPECT_NEAR(vectors.similarity(0, 3, Distance::euclidean), -std::sqrt(2.0), 1e-7);
  EXPECT_EQ(vectors.similarity(0, 3, Distance::dot), 6);
  const auto cosine = vectors.nearest("right", 10), dot = vectors.nearest("right", 1, Distance::dot);
  ASSERT_EQ(cosine.size(), 4u);
  EXPECT_EQ(cosine[0].first, 4);
  EXPECT_EQ(cosine[3].first, 2);
  EXPECT_EQ(dot[0].first, 3);
  EXPECT_EQ(vectors.nearest("up", 1, Distance::euclidean)[0].first, 4);
  // (0, 1) - (1, 0) + (-1, 0) = (-2, 1): its cosine to (3, 1) is -0.71, to (0.1, 0) -0.89.
  EXPECT_EQ(vectors.analogy("right", "up", "left", 1)[0].first, 3);
}

TEST_F(WordVectorsTest, EveryFormatGivesBackTheSameBits) {
  const WordVectors vectors = five();
  for (const char* name : {"words.bin", "words.txt", "words.safetensors", "words.npy"}) {
    save_word_vectors(folder + name, vectors);
    const WordVectors loaded = load_word_vectors(folder + name);
    EXPECT_EQ(loaded.words(), vectors.words()) << name;
    EXPECT_EQ(std::memcmp(loaded.vectors().data(), vectors.vectors().data(), 40), 0) << name;
  }
  EXPECT_EQ(io::read_file(folder + "words.txt"), "5 2\nright 2 0\nup 0 1\nleft -1 0\nnear 3 1\nk\u00f6nig 0.1 1e-20\n");
  says(message_of([&] { save_word_vectors(folder + "words.csv", vectors); }), "expected a file .bin or .txt");
}

/// gensim ends no vector with a line feed, word2vec's own program each.
TEST_F(WordVectorsTest, ReadsBothKindsOfBinary) {
  const float numbers[] = {1.5f, -2};
  const std::string bytes(reinterpret_cast<const char*>(numbers), 8);
  for (const std::string end : {"", "\n"})
    EXPECT_EQ(
        load_word_vectors(write("a.bin", "2 2\na " + bytes + end + "b " + bytes + end)).vectors()[1][1].item<float>(),
        -2);
}

TEST_F(WordVectorsTest, LyingFilesAreRefused) {
  const auto load = [&](const std::string& bytes) {
    const std::string path = write("bad.bin", bytes);
    const std::string error = message_of([&] { load_word_vectors(path); });
    EXPECT_NE(error.find("bad.bin"), std::string::npos) << error;
    return error;
  };
  says(load(""), "expected a header `WORDS WIDTH`, found the end");
  says(load("a b\n"), "expected a header `WORDS WIDTH`");
  says(load("-1 3\n"), "expected a header `WORDS WIDTH`");
  says(load("1000000000 300\na 1 2\n"), "which 21 bytes cannot hold");
  says(load("2 1000000000000\na 1 2\n"), "cannot hold");
  says(load("2 2\na 1 2\nb 1 x\n"), "expected 2 numbers behind 'b'");
  says(load("2 2\na 1 2\nb 1\n"), "expected 2 numbers behind 'b'");
  says(load("2 2\na 1 2\na 3 4\n"), "the word 'a' is there twice, at 0 and 1");
  says(load("2 2\na 1 2\nb nan 4\n"), "the vector of 'b' (row 1) is not finite");
  says(load("1 2\na 1 2\nb 3 4\n"), "expected the end after 1 words");
  says(load(std::string("2 2\na \1\2\3\4\5\6\7\1b \1\2\3\4\5", 21)), "cannot hold");
}

TEST_F(WordVectorsTest, Spearman) {
  EXPECT_NEAR(spearman({1, 2, 3, 4, 5}, {5, 6, 7, 8, 7}), 0.8207826816681233, 1e-12);  // scipy.stats.spearmanr
  EXPECT_NEAR(spearman({1, 2, 3}, {3, 2, 1}), -1, 1e-12);
  EXPECT_TRUE(std::isnan(spearman({1, 1}, {1, 2})));
}

TEST_F(WordVectorsTest, ScoresPairsAndQuestions) {
  const WordVectors vectors({"a", "b", "c", "d", "e"}, tensor({{1, 0}, {1, 0.1f}, {0, 1}, {0.1f, 1}, {-1, 0.3f}}));
  const PairScore pairs = score_pairs(write("pairs", "# comment\na\tb\t9\nA\tc\t3\na\te\t1\na\tz\t5\n"), vectors);
  EXPECT_EQ(pairs.pairs, 3);
  EXPECT_EQ(pairs.missing, 1);
  EXPECT_NEAR(pairs.correlation, 1, 1e-12);
  says(message_of([&] { score_pairs(write("pairs", "# x\na b\n"), vectors); }),
       "line 2: expected two words and a score");
  const std::string path = write("questions", ": section\na b c d\na c z d\nc d a e\n");
  EXPECT_TRUE(has_questions(path));
  const QuestionScore questions = score_questions(path, vectors);
  EXPECT_EQ(questions.questions, 2);
  EXPECT_EQ(questions.missing, 1);
  EXPECT_EQ(questions.correct, 1);
}

TEST_F(WordVectorsTest, TextInNumbers) {
  const io::Source text("b a\nzz b b <unk>\na", "a text");
  const Vocabulary vocabulary(count_words(text, {.drop = {"<unk>"}, .min_count = 2}));
  const EncodedText encoded = encode_text(text, vocabulary, {.drop = {"<unk>"}});
  EXPECT_EQ(encoded.words, 6);
  const int32_t expected[] = {0, 1, -1, 0, 0, -1, 1, -1};
  ASSERT_EQ(encoded.pieces.shape(), (Shape{1, 512}));
  EXPECT_EQ(std::memcmp(encoded.pieces.data(), expected, sizeof expected), 0);
  says(message_of([&] { encode_text(io::Source("x y", "other"), vocabulary); }),
       "other: no word of it is in the dictionary");
}

TEST_F(WordVectorsTest, SentencesAreTheSameForASeed) {
  EXPECT_EQ(generated_sentences(50, 3), generated_sentences(50, 3));
  EXPECT_NE(generated_sentences(50, 3), generated_sentences(50, 4));
  EXPECT_TRUE(generated_sentences(100, 3).starts_with(generated_sentences(50, 3)));
}

TEST_F(WordVectorsTest, DogIsNearerToCatThanToAirplane) {
  const std::string sentences = generated_sentences(4000, 1);
  const io::Source source(sentences, "sentences");
  const Vocabulary vocabulary(count_words(source));
  const Tensor text = encode_text(source, vocabulary).pieces;
  manual_seed(1);
  const models::Word2Vec model(vocabulary, {.width = 32});
  for (int epoch = 0; epoch < 8; ++epoch)
    for (int64_t piece = 0; piece < text.size(0); ++piece) model.learn(text[piece]);
  const WordVectors vectors = model.vectors();
  const int64_t dog = vectors.row("dog"), cat = vectors.row("cat"), airplane = vectors.row("airplane");
  EXPECT_GT(vectors.similarity(dog, cat), vectors.similarity(dog, airplane) + 0.3);
}

}  // namespace
}  // namespace percale::language
