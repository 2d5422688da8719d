// Word vectors: neighbours, files both ways and lying ones, evaluation, encoding, and a model that learns from
// sentences.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>
#include <cstring>

#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::language {
namespace {

using percale::testing::message_of;

void says(const std::string& error, const std::string& part) {
  EXPECT_NE(error.find(part), std::string::npos) << error;
}

class WordVectorsTest : public ::testing::Test {
 protected:
  const percale::testing::Folder folder;

  std::string write(const std::string& name, const std::string& bytes) const {
    io::write_file(folder / name, bytes);
    return folder / name;
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
    save_word_vectors(folder / name, vectors);
    const WordVectors loaded = load_word_vectors(folder / name);
    EXPECT_EQ(loaded.words(), vectors.words()) << name;
    EXPECT_EQ(std::memcmp(loaded.vectors().data(), vectors.vectors().data(), 40), 0) << name;
  }
  EXPECT_EQ(io::read_file(folder / "words.txt"), "5 2\nright 2 0\nup 0 1\nleft -1 0\nnear 3 1\nk\u00f6nig 0.1 1e-20\n");
  says(message_of([&] { save_word_vectors(folder / "words.csv", vectors); }), "expected a file .bin or .txt");
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

/// As fastText 0.9.2 has them (get_subwords, minn 3, maxn 3, bucket 2,000,000, less its number of words).
TEST_F(WordVectorsTest, PiecesOfWordsAreFastTexts) {
  const SubwordOptions three{.least = 3, .most = 3};
  EXPECT_EQ(subwords_of("cat", three), (std::vector<int32_t>{916'747, 289'031, 351'106}));
  EXPECT_EQ(subwords_of("caf\u00e9", three), (std::vector<int32_t>{916'747, 369'661, 960'362, 1'609'697}));
  EXPECT_EQ(subwords_of("cat").size(), 6u);                            // <ca cat at> <cat cat> <cat>
  EXPECT_EQ(subwords_of("aaaa", {.least = 2, .most = 2}).size(), 3u);  // <a aa a>
  EXPECT_EQ(subwords_of("a", {.least = 1, .most = 1}).size(), 1u);     // the signs alone are no pieces
  says(message_of([] { Subwords(std::vector<std::string>{"a"}, {.least = 4, .most = 3}); }),
       "the least not more than the most, got 4 and 3");
  says(message_of([] {
         Subwords(SubwordOptions{.buckets = 5}, std::vector<int32_t>{3, 5});
       }),
       "buckets must ascend below 5, got 5 at 1");
}

TEST_F(WordVectorsTest, UnseenWordsAreMadeOfPieces) {
  const std::vector<std::string> words = {"walking", "running"};
  const Subwords subwords(words, {});
  const Tensor pieces = arange(0, static_cast<double>(2 * subwords.size()), 1, {f32, cpu_device}).view({-1, 2});
  const WordVectors vectors(words, tensor({{1, 2}, {3, 4}}), subwords, pieces);
  EXPECT_EQ(vectors.vector_of("running"), (std::vector<float>{3, 4}));
  EXPECT_FALSE(vectors.vector_of("xyz").has_value());
  EXPECT_EQ(vectors.find("kicking"), -1);
  const std::vector<int32_t> known = subwords.of("kicking");  // king, ing>, ...
  ASSERT_GT(known.size(), 3u);
  double sum = 0;
  for (const int32_t piece : known) sum += 2 * piece;
  EXPECT_NEAR((*vectors.vector_of("kicking"))[0], sum / static_cast<double>(known.size()), 1e-4);
  EXPECT_EQ(vectors.nearest("kicking", 5).size(), 2u);
  save_word_vectors(folder / "pieces.safetensors", vectors);
  const WordVectors loaded = load_word_vectors(folder / "pieces.safetensors");
  EXPECT_EQ(loaded.vector_of("kicking"), vectors.vector_of("kicking"));
  EXPECT_EQ(loaded.subwords().used(), subwords.used());
}

TEST_F(WordVectorsTest, LearnsWordsAndTheirPieces) {
  const std::string sentences = generated_sentences(4000, 1);
  const io::Source source(sentences, "sentences");
  const Vocabulary vocabulary(count_words(source));
  const Tensor text = encode_text(source, vocabulary).pieces;
  Tensor first;
  for (const int threads : {1, 2}) {
    cpu::set_num_threads(threads);
    manual_seed(1);
    const models::Word2Vec model(vocabulary, {.width = 32, .subwords = true});
    for (int epoch = 0; epoch < 6; ++epoch)
      for (int64_t piece = 0; piece < text.size(0); ++piece) model.learn(text[piece]);
    const WordVectors vectors = model.vectors();
    EXPECT_GT(vectors.similarity(vectors.row("dog"), vectors.row("cat")),
              vectors.similarity(vectors.row("dog"), vectors.row("airplane")) + 0.2);
    // Nobody has read that word; its pieces are the airplane's.
    EXPECT_EQ(vectors.words()[static_cast<size_t>(vectors.nearest("xairplane", 1)[0].first)], "airplane");
    if (!first.defined()) first = vectors.vectors();
    EXPECT_EQ(std::memcmp(first.data(), vectors.vectors().data(), 4 * static_cast<size_t>(first.numel())), 0);
  }
}

TEST_F(WordVectorsTest, ScoresPairsAndQuestions) {
  const WordVectors vectors({"a", "b", "c", "d", "e"}, tensor({{1, 0}, {1, 0.1f}, {0, 1}, {0.1f, 1}, {-1, 0.3f}}));
  const PairScore pairs = score_pairs(write("pairs", "# comment\na\tb\t9\nA\tc\t3\na\te\t1\na\tz\t5\n"), vectors);
  EXPECT_EQ(pairs.pairs, 3);
  EXPECT_EQ(pairs.missing, 1);
  EXPECT_NEAR(pairs.correlation, 1, 1e-12);
  EXPECT_EQ(pairs.triplets, 2);  // a: b before c, b before e
  EXPECT_EQ(pairs.in_order, 2);
  // c: d before a, d before b, a twice; b: a before c, and the far pair first; e goes with none.
  const PairScore mixed =
      score_pairs(write("pairs", "c a 2\nc d 7\nb c 4\nc a 1\na b 7.5\ne d 6.9\ne a 4.1\n"), vectors);
  EXPECT_EQ(mixed.triplets, 4);
  EXPECT_EQ(mixed.in_order, 4);
  const PairScore wrong = score_pairs(write("pairs", "a c 8\na b 1\na d 3\n"), vectors);
  EXPECT_EQ(wrong.triplets, 2);
  EXPECT_EQ(wrong.in_order, 0);
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

/// Long words, so that a text of many blocks has few.
TEST_F(WordVectorsTest, ManyBlocksInTheirOrder) {
  const std::string long_word(300, 'x');
  std::string text;
  std::vector<int32_t> expected;
  uint64_t state = 5;
  while (text.size() < 40 * (size_t{1} << 20)) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto number = static_cast<int32_t>(state >> 33) % 9;
    text.append(long_word).append(1, static_cast<char>('0' + number)).append(number == 0 ? "\n" : " ");
    expected.push_back(number);
    if (number == 0) expected.push_back(-1);
  }
  WordCounts counts;
  for (const char end : std::string("012345678")) counts.words.emplace_back(long_word + end, 1);
  const Tensor pieces = encode_text(io::Source(text, "text"), Vocabulary(std::move(counts))).pieces;
  const auto size = static_cast<int64_t>(expected.size());
  ASSERT_GE(pieces.numel(), size);
  ASSERT_LT(pieces.numel(), size + pieces.size(1));
  expected.resize(static_cast<size_t>(pieces.numel()), -1);
  EXPECT_EQ(std::memcmp(pieces.data(), expected.data(), expected.size() * sizeof(int32_t)), 0);
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
