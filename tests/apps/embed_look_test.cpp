// embed_look as its user sees it.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "run_program.h"

namespace percale {
namespace {

using testing::Folder;
using testing::Ran;
using testing::run_program;

struct EmbedLook : ::testing::Test {
  Folder folder;
  std::string vectors = folder / "v.npy", labels = folder / "labels.txt";

  void SetUp() override {
    manual_seed(5);
    const Tensor rows = randn({300, 8});
    std::string text;
    for (int64_t i = 0; i < 300; ++i) {
      rows.data<float>()[i * 8] = i % 3 == 0 ? 30.0f : 0.0f;
      text += i % 3 == 0 ? "cat\n" : "dog\n";
    }
    std::fill_n(rows.data<float>() + 8 * 7, 8, 0.0f);
    io::save_npy(vectors, rows);
    io::write_file(labels, text);
    io::save_safetensors(folder / "v.safetensors", {{"table", rows}, {"bias", zeros({8})}});
    io::save_safetensors(folder / "two.safetensors", {{"table", rows}, {"other", rows}});
    io::save_npy(folder / "new.npy", randn({300, 8}));
  }
};

TEST_F(EmbedLook, SaysWhatItFinds) {
  const Ran ran = run_program("embed_look", {vectors, "--labels", labels, "--against", folder / "new.npy", "--picture",
                                             folder / "p.png", "--metrics", folder / "m.jsonl"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  for (const char* says :
       {"300 vectors of 8 numbers", "! zeros        1 of 300 rows", "  not finite   0 of 300 rows", "dead dims",
        "norms", "duplicates", "rank", "mean cosine", "hubs", "labels", "the index is broken", "moved most"})
    EXPECT_NE(ran.out.find(says), std::string::npos) << says << "\n" << ran.out;
  EXPECT_EQ(io::read_file(folder / "p.png").substr(0, 4), "\x89PNG");
  const auto numbers = nlohmann::json::parse(io::read_file(folder / "m.jsonl"));
  EXPECT_EQ(numbers["zeros"], 1);
  EXPECT_EQ(numbers["final"], true);
  EXPECT_GT(numbers["nearest_label_accuracy"], 0.95);
  EXPECT_LT(numbers["overlap"], 0.3);
  EXPECT_EQ(run_program("embed_look", {vectors, "--threads", "1"}).out,
            run_program("embed_look", {vectors, "--threads", "2"}).out);
}

TEST_F(EmbedLook, ReadsSafetensorsToo) {
  const Ran npy = run_program("embed_look", {vectors}), tensors = run_program("embed_look", {folder / "v.safetensors"});
  ASSERT_EQ(tensors.code, 0) << tensors.error;
  EXPECT_EQ(tensors.out.substr(tensors.out.find('\n')), npy.out.substr(npy.out.find('\n')));
  EXPECT_EQ(run_program("embed_look", {folder / "two.safetensors", "--tensor", "other"}).code, 0);
}

TEST_F(EmbedLook, ReadsWord2vecsFiles) {
  io::write_file(folder / "words.txt", "3 2\ncat 1 0\ndog 0.5 0.5\nfish 0 -1\n");
  const Ran ran = run_program("embed_look", {folder / "words.txt"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_NE(ran.out.find("3 vectors of 2 numbers"), std::string::npos) << ran.out;
}

TEST_F(EmbedLook, NamesWordsInItsVerdicts) {
  std::string now = "30 3\n", old = "30 3\n";
  for (int i = 0; i < 30; ++i) {
    const auto line = [](const std::string& word, double angle) {
      return word + " " + std::to_string(std::cos(angle)) + " " + std::to_string(std::sin(angle)) + " 0.1\n";
    };
    const std::string word = "word" + std::to_string(i);
    now += i == 4 ? "bad nan 1 1\n" : i == 5 ? "nothing 0 0 0\n" : line(word, i == 7 ? 6 * 0.1 : i * 0.1);
    const int j = 29 - i;  // in another order, one word elsewhere, one that is new
    old += j == 9 ? line("elsewhen", 1) : line("word" + std::to_string(j), j == 20 ? 0.05 : j * 0.1);
  }
  io::write_file(folder / "now.txt", now);
  io::write_file(folder / "old.txt", old);
  const Ran ran =
      run_program("embed_look", {folder / "now.txt", "--against", folder / "old.txt", "--picture", folder / "p.png"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  for (const char* says :
       {"! not finite   1 of 30 rows", "such as 'bad'", "! zeros        1 of 29 rows", "such as 'nothing'",
        "such as 'word7' = 'word6'", "moved most (neighbours kept): 'word20' (", "27 names in common"})
    EXPECT_NE(ran.out.find(says), std::string::npos) << says << "\n" << ran.out;
  io::write_file(folder / "other.txt", "3 3\na 1 2 3\nb 1 2 4\nc 1 0 0\n");
  const Ran none = run_program("embed_look", {folder / "now.txt", "--against", folder / "other.txt", "--quiet"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.error.find("none of 30 names is among the 3 older ones"), std::string::npos) << none.error;
}

TEST_F(EmbedLook, RefusesInOneLine) {
  const auto refused = [](const testing::Words& words, int code, const std::string& says) {
    testing::expect_refused(run_program("embed_look", words), code, says);
  };
  refused({}, 2, "name a file of vectors");
  refused({vectors, vectors}, 2, "one file at a time");
  refused({vectors, "--label", labels}, 2, "did you mean --labels?");
  refused({vectors, "--queries", "0"}, 2, "--queries");
  refused({"/nowhere.npy"}, 1, "/nowhere.npy");
  refused({labels, "--quiet"}, 1, labels);
  refused({folder / "two.safetensors", "--quiet"}, 1, "say which: ");
  refused({folder / "two.safetensors", "--tensor", "none", "--quiet"}, 1, "there is no matrix none");
  refused({vectors, "--picture", "/nowhere/p.png"}, 1, "there is no folder /nowhere");
  io::write_file(folder / "short.txt", "cat\ndog\n");
  refused({vectors, "--labels", folder / "short.txt", "--quiet"}, 1, "got 2 lines");
  io::save_npy(folder / "line.npy", zeros({4}));
  refused({folder / "line.npy", "--quiet"}, 1, "[rows, width]");
  io::save_npy(folder / "fewer.npy", zeros({4, 8}));
  EXPECT_EQ(run_program("embed_look", {vectors, "--against", folder / "fewer.npy", "--quiet"}).code, 1);
}

}  // namespace
}  // namespace percale
