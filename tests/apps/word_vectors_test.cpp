// word_vectors: the tutorial's claim in seconds, the same bytes at any number of threads, questions, files and
// mistakes.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "run_program.h"

namespace percale {
namespace {

using testing::Folder;
using testing::last_line;
using testing::Ran;
using testing::run_program;
using testing::with;
using testing::Words;

const Words small = {"--sentences", "3000", "--dim", "16", "--device", "cpu", "--quiet"};

Ran run(const Words& arguments) { return run_program("word_vectors", with(arguments, small)); }

TEST(WordVectorsProgram, ShowsTheTutorialsClaimWithoutAText) {
  const Ran ran = run_program("word_vectors", {"--device", "cpu"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_NE(ran.out.find("Epoch [15/15], Loss: "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("Training complete!\ndog is closer to cat than to airplane: cosine 0."), std::string::npos)
      << ran.out;
  EXPECT_LT(ran.processor_seconds, 60);
}

TEST(WordVectorsProgram, SameBytesAtAnyNumberOfThreads) {
  const Folder folder;
  for (const char* threads : {"1", "2"})
    ASSERT_EQ(run({"--threads", threads, "--output", folder / (std::string(threads) + ".bin")}).code, 0);
  EXPECT_EQ(io::read_file(folder / "1.bin"), io::read_file(folder / "2.bin"));
}

TEST(WordVectorsProgram, AnswersFromItsOwnFileAsAfterLearning) {
  const Folder folder;
  io::write_file(folder / "pairs.tsv",
                 "dog\tcat\t9\ndog\tairplane\t1\ncar\ttrain\t8\nbread\tship\t0.5\ncar\tzebra\t3\n");
  const Words questions = {
      "--nearest", "dog",      "--neighbours", "3",    "--analogy", "dog",        "cat",
      "car",       "--closer", "bread",        "milk", "ship",      "--evaluate", folder / "pairs.tsv"};
  Words learn = questions, read = {"--vectors", folder / "words.txt"};
  learn.insert(learn.end(), {"--output", folder / "words.txt", "--metrics", folder / "metrics.jsonl", "--picture",
                             folder / "words.png", "--vocabulary", folder / "vocabulary.txt"});
  read.insert(read.end(), questions.begin(), questions.end());
  const Ran learnt = run(learn), again = run(read);
  ASSERT_EQ(learnt.code, 0) << learnt.error;
  ASSERT_EQ(again.code, 0) << again.error;
  EXPECT_EQ(learnt.out, again.out);
  EXPECT_NE(learnt.out.find("nearest to dog (cosine):\n"), std::string::npos) << learnt.out;
  EXPECT_NE(learnt.out.find("bread is closer to milk than to ship: cosine"), std::string::npos) << learnt.out;
  EXPECT_NE(learnt.out.find("of 4 pairs, 1 with a missing word; 1 of 1 triplets in people's order\n"),
            std::string::npos)
      << learnt.out;
  const nlohmann::json metrics = last_line(folder / "metrics.jsonl");
  EXPECT_EQ(metrics["data"], "generated sentences");
  EXPECT_GT(metrics["words_per_s"].get<double>(), 0);
  EXPECT_GT(metrics["vocabulary"].get<int>(), 80);
  EXPECT_EQ(metrics["pairs.tsv"]["missing"], 1);
  EXPECT_GT(metrics["pairs.tsv"]["spearman"].get<double>(), 0.5);
  EXPECT_EQ(metrics["pairs.tsv"]["triplets"], 1);
  EXPECT_EQ(metrics["pairs.tsv"]["in_order"], 1);
  EXPECT_EQ(io::read_file(folder / "words.png").substr(1, 3), "PNG");
  EXPECT_TRUE(io::read_file(folder / "vocabulary.txt").starts_with("vocabulary "));
}

TEST(WordVectorsProgram, ResumesToTheSameBytes) {
  const Folder folder;
  ASSERT_EQ(run({"--epochs", "4", "--output", folder / "whole.bin"}).code, 0);
  ASSERT_EQ(run({"--epochs", "4", "--checkpoint", folder / "half", "--checkpoint-every", "90"}).code, 0);
  const Ran resumed =
      run({"--epochs", "4", "--checkpoint", folder / "half", "--resume", "--output", folder / "resumed.bin"});
  ASSERT_EQ(resumed.code, 0) << resumed.error;
  EXPECT_EQ(io::read_file(folder / "whole.bin"), io::read_file(folder / "resumed.bin"));
}

TEST(WordVectorsProgram, ReadsATextAndFoldsAndDropsWords) {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 40; ++i) text += "Hello <unk> WORLD again\nhello there world\n";
  io::write_file(folder / "text", text);
  const Ran ran =
      run_program("word_vectors", {"--text", folder / "text", "--lower", "--drop", "<unk>", "--ids", "hello world moon",
                                   "--epochs", "1", "--dim", "4", "--quiet", "--device", "cpu", "--fast"});
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.out, "hello world moon -> 0, 1, 4\n");
}

/// A text of `lines` with three words each.
std::string write_lines(const std::string& path, int64_t lines) {
  std::ofstream file(path, std::ios::binary);
  for (int64_t i = 0; i < lines; ++i) file << "aa bb aa\n";
  return path;
}

/// Where only a dictionary is wanted, a longer text takes no more memory; where it is learnt, four bytes a word (a line
/// of three has an end too). Nearly all words are passed over, so that this takes no time.
TEST(WordVectorsProgram, HoldsATextOnceAndOnlyToLearnIt) {
  const Folder folder;
  const std::string text = write_lines(folder / "long", 5'000'000), line = write_lines(folder / "short", 5'000);
  const auto peak = [&](const std::string& file, const char* epochs) {
    const Ran ran = run_program("word_vectors", {"--text", file, "--epochs", epochs, "--sample", "1e-9", "--dim", "1",
                                                 "--output", folder / "out.txt", "--vocabulary", folder / "words",
                                                 "--threads", "2", "--quiet", "--device", "cpu"});
    EXPECT_EQ(ran.code, 0) << ran.error;
    return ran.megabytes;
  };
  const double least = peak(line, "0"), counted = peak(text, "0");
  EXPECT_LT(counted, least + 20);
  EXPECT_EQ(io::read_file(folder / "words"), "vocabulary 2 0\naa 10000000\nbb 5000000\n");
  EXPECT_TRUE(io::read_file(folder / "out.txt").starts_with("2 1\naa "));
  const double megabytes = 4 * 4 * 5;  // of four numbers a line, 5 million lines
  const double learnt = peak(text, "1");
  EXPECT_GT(learnt, least + megabytes);
  EXPECT_LT(learnt, least + 1.6 * megabytes);
}

/// What a checkpoint holds can be had without learning on.
TEST(WordVectorsProgram, AnswersFromACheckpointAsItStands) {
  const Folder folder;
  ASSERT_EQ(run({"--epochs", "2", "--checkpoint", folder / "two", "--output", folder / "two.bin"}).code, 0);
  const Ran again =
      run({"--epochs", "0", "--checkpoint", folder / "two", "--resume", "--output", folder / "again.bin"});
  ASSERT_EQ(again.code, 0) << again.error;
  EXPECT_EQ(io::read_file(folder / "again.bin"), io::read_file(folder / "two.bin"));
}

/// Four million words, of which two are in the dictionary: ten times, until 40 million words are read.
TEST(WordVectorsProgram, ReadsASmallTextOftener) {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += "a b c d e f g h\n";
  io::write_file(folder / "text", text);
  const Words arguments = {"--text", folder / "text", "--words", "2", "--dim", "1", "--device", "cpu"};
  const Ran ran = run_program("word_vectors", arguments);
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_NE(ran.out.find("Epoch [8/8], Loss: "), std::string::npos) << ran.out;
}

TEST(WordVectorsProgram, AnswersAboutUnseenWordsBySubwords) {
  const Folder folder;
  const Ran learnt = run({"--subwords", "--output", folder / "words.safetensors", "--nearest", "xairplane"});
  ASSERT_EQ(learnt.code, 0) << learnt.error;
  EXPECT_NE(learnt.out.find("nearest to xairplane (cosine):\n    airplane"), std::string::npos) << learnt.out;
  const Ran read = run({"--vectors", folder / "words.safetensors", "--nearest", "xairplane"});
  EXPECT_NE(learnt.out.find(read.out), std::string::npos) << read.out << read.error;
}

TEST(WordVectorsProgram, PredictsTheNextWord) {
  const Folder folder;
  const Ran ran = run({"--model", "next-word", "--epochs", "2", "--lr", "0.01", "--samples", "20", "--next", "the cat",
                       "--metrics", folder / "metrics.jsonl", "--threads", "1", "--save", folder / "1.safetensors"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_NE(ran.out.find("words that were not learnt\nafter the cat:\n    "), std::string::npos) << ran.out;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 8) << ran.out;  // perplexity, head, five words, dog
  const nlohmann::json metrics = last_line(folder / "metrics.jsonl");
  EXPECT_LT(metrics["perplexity"].get<double>(), 20);  // 90 words, of which a few fit
  EXPECT_GT(metrics["valid_words"].get<int>(), 1000);
  EXPECT_GT(metrics["words_per_s"].get<double>(), 0);
  ASSERT_EQ(run({"--model", "next-word", "--epochs", "2", "--lr", "0.01", "--samples", "20", "--threads", "2", "--save",
                 folder / "2.safetensors"})
                .code,
            0);
  EXPECT_EQ(io::read_file(folder / "1.safetensors"), io::read_file(folder / "2.safetensors"));
}

void expect_refused(const Words& arguments, int code, const std::string& says) {
  testing::expect_refused(run_program("word_vectors", arguments), code, says);
}

TEST(WordVectorsProgram, MistakesAreOneClearLine) {
  const Folder folder;
  io::write_file(folder / "empty", "");
  io::write_file(folder / "one", "word word word word word word");
  io::write_file(folder / "latin", "caf\xe9 caf\xe9");
  io::write_file(folder / "nul", std::string("a b\0c", 5));
  io::write_file(folder / "lying.bin", "9 9\nx 1");
  expect_refused({"--text", folder / "empty"}, 1, "found no word");
  expect_refused({"--text", folder / "one"}, 1, "the only word in the dictionary is word; see --min-count");
  expect_refused({"--text", folder / "one", "--min-count", "7"}, 1, "no word stands there 7 times; see --min-count");
  expect_refused({"--text", folder / "latin"}, 1, "expected UTF-8, found the byte 233 at 3");
  expect_refused({"--text", folder / "nul"}, 1, "found a NUL at byte 3");
  expect_refused({"--text", folder / "none"}, 1, "--text " + folder / "none");
  expect_refused({"--vectors", folder / "lying.bin"}, 1, "the header says 9 words of 9 numbers");
  expect_refused({"--words", "0"}, 2, "--words: must be at least 1");
  expect_refused({"--closer", "dog", "cat"}, 2, "--closer: expected three words, got 2");
  expect_refused({"--next", "the cat"}, 2, "--next goes with --model next-word");
  expect_refused({"--output", folder / "words.csv"}, 1, "expected a file .bin or .txt");
  expect_refused({"--text", folder / "one", "--vectors", folder / "lying.bin"}, 2, "give one");
  io::write_file(folder / "two.txt", "2 1\ndog 1\ncat 2\n");
  expect_refused({"--vectors", folder / "two.txt", "--nearest", "dgo"}, 1,
                 "there is no vector for 'dgo'; did you mean 'dog'?");
}

}  // namespace
}  // namespace percale
