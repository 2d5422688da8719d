// bert_embed: what it prints, writes and finds; texts of every kind; mistakes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "run_program.h"
#include "small_encoder.h"

namespace percale {
namespace {

using testing::Folder;
using testing::Ran;
using testing::run_program;
using testing::RunOptions;
using testing::Words;

struct BertEmbed : ::testing::Test {
  Folder folder;
  std::string model = folder / "model";

  void SetUp() override { testing::write_small_encoder(model); }

  Ran run(Words words, const RunOptions& options = {}) const {
    words.insert(words.end(), {"--model", model, "--device", "cpu"});
    return run_program("bert_embed", words, options);
  }
  /// What --output writes of `words`.
  Tensor written(Words words) const {
    words.insert(words.end(), {"--output", folder / "out.npy"});
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 0) << ran.error;
    EXPECT_EQ(ran.out, "");
    return io::load_npy(folder / "out.npy");
  }
};

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.contiguous().data(), b.contiguous().data(), static_cast<size_t>(a.numel()) * sizeof(float)) == 0;
}

TEST_F(BertEmbed, PrintsTheTutorialsShapeWithoutAModelOrANetwork) {
  const Ran ran = run_program("bert_embed", {"--model", "random", "Hello, how are you?", "--tokens"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(ran.out.starts_with("[CLS] hello , how are you ? [SEP]\ntorch.Size([1, 8, 768])\ntensor([[")) << ran.out;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'),
            9);  // seven of them the tensor's, three rows, dots, three
  EXPECT_EQ(run_program("bert_embed", {"--model", "random", "Hello, how are you?", "--tokens"}).out, ran.out);
  EXPECT_LT(ran.processor_seconds, 10);
}

TEST_F(BertEmbed, SaysWhatToDoWithoutTheModel) {
  const Ran ran = run_program("bert_embed", {"Hello"}, {.environment = {{"HF_HOME", folder.path()}}});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(std::count(ran.error.begin(), ran.error.end(), '\n'), 1) << ran.error;
  EXPECT_NE(ran.error.find("bert-base-uncased"), std::string::npos) << ran.error;
}

TEST_F(BertEmbed, AVectorATokenIsPooledAsAsked) {
  const Tensor tokens = written({"Hello, how are you?", "Hi"});
  ASSERT_EQ(tokens.shape(), Shape({2, 8, 32}));
  EXPECT_EQ(max(abs(tokens[1].slice(0, 4))).item<float>(), 0);  // [CLS] h ##i [SEP], and zeros behind them
  EXPECT_TRUE(
      same_bytes(written({"Hello, how are you?", "Hi", "--pooling", "cls", "--layer", "2"}), tokens.select(1, 0)));
  const Tensor mean_of_tokens = written({"Hello, how are you?", "--pooling", "mean", "--layer", "2"});
  const Tensor expected = mean(tokens[0], {0});
  for (int64_t i = 0; i < 32; ++i) EXPECT_NEAR(mean_of_tokens.data<float>()[i], expected.data<float>()[i], 1e-6);
  EXPECT_EQ(written({"Hello", "--layer", "0"}).shape(), Shape({1, 3, 32}));
  const Tensor unit = written({"Hello", "--layer", "1", "--pooling", "max", "--normalize"});
  EXPECT_NEAR(sum(unit * unit).item<float>(), 1, 1e-6);
}

TEST_F(BertEmbed, AVectorIsTheSameAloneAndAmongOthersAndFromAnySource) {
  io::write_file(folder / "lines", "one text\n\nHello, how are you?\nthe last");
  const Tensor all = written({"--file", folder / "lines", "--pooling", "mean"});
  ASSERT_EQ(all.shape(), Shape({4, 32}));
  EXPECT_TRUE(same_bytes(written({"Hello, how are you?", "--pooling", "mean"}), all.slice(0, 2, 3)));
  EXPECT_TRUE(same_bytes(written({"--pooling", "mean", ""}), all.slice(0, 1, 2)));
  const Ran ran = run({"--pooling", "mean", "--output", folder / "stdin.npy"}, {.input_file = folder / "lines"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(same_bytes(io::load_npy(folder / "stdin.npy"), all));
}

TEST_F(BertEmbed, WritesWhatOthersRead) {
  const Tensor expected = written({"Hello", "a \"quoted\" text", "--pooling", "mean"});
  for (const char* ending : {"safetensors", "jsonl"})
    ASSERT_EQ(
        run({"Hello", "a \"quoted\" text", "--pooling", "mean", "--output", folder / (std::string("out.") + ending)})
            .code,
        0);
  EXPECT_TRUE(same_bytes(io::load_safetensors(folder / "out.safetensors").find("embeddings"), expected));
  const std::string lines = io::read_file(folder / "out.jsonl");
  const auto second = nlohmann::json::parse(lines.substr(lines.find('\n') + 1));
  EXPECT_EQ(second["text"], "a \"quoted\" text");
  ASSERT_EQ(second["embedding"].size(), 32u);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(second["embedding"][i].get<float>(), expected.data<float>()[32 + i]);
}

TEST_F(BertEmbed, PrintsIdsALineAText) {
  const language::WordPiece tokenizer = language::small_vocabulary();
  const Ran ran = run({"--ids", "Hello, how are you?", ""});
  std::string expected;
  for (const int64_t id : tokenizer.ids("Hello, how are you?")) expected.append(text(id)).append(" ");
  expected.back() = '\n';
  EXPECT_EQ(ran.out, expected + "2 3\n");
  EXPECT_EQ(run({"--ids", "Hello, how are you?", "--max-length", "3"}).out,
            "2 " + text(tokenizer.id("hello")) + " 3\n");
}

TEST_F(BertEmbed, FindsTheTextsMostAlike) {
  io::write_file(folder / "lines", "the cat sat down\nthe dog sat down\ncentral bank\n");
  const Ran ran = run({"--file", folder / "lines", "--search", "the dog sat down", "--top", "2"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(std::regex_match(ran.out, std::regex(" 1\\.0000  the dog sat down\n.*\n"))) << ran.out;
  const Ran matrix = run({"a", "b", "--similarity"});
  EXPECT_TRUE(std::regex_match(matrix.out, std::regex("tensor\\(\\[\\[1\\.0000, .*\\],\n +\\[.*, 1\\.0000\\]\\]\\)\n")))
      << matrix.out;
}

TEST_F(BertEmbed, ALongTextAsTenNumbers) {
  const Ran ran = run({"Hello, how are you?", "--reduce", "10"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(ran.out.starts_with("torch.Size([1, 10])\ntensor([")) << ran.out;
  EXPECT_GT(max(abs(written({"Hello, how are you?", "--reduce", "10"}))).item<float>(), 0);
  EXPECT_NE(run({"Hello", "--reduce", "33"}).error.find("a vector has only 32 numbers"), std::string::npos);
}

TEST_F(BertEmbed, TakesTextsOfEveryKind) {
  // What is not UTF-8 counts as U+FFFD, which the tokenizer removes, as it does a NUL.
  io::write_file(folder / "lines", std::string("caf\xe9 bar\nhel\0lo\n\xff\n", 17));
  const Ran ran = run({"--file", folder / "lines", "--ids"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.out, run({"--ids", "caf bar", "hello", ""}).out);
  EXPECT_EQ(written({"--file", folder / "lines", "--pooling", "mean"}).shape(), Shape({3, 32}));
}

TEST_F(BertEmbed, LongTextsAreCutOnceSaidOrRefused) {
  std::string endless;
  for (int i = 0; i < 600; ++i) endless += "word ";
  const Ran ran = run({endless, endless, "short", "--output", folder / "out.npy"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.error, "2 of 3 texts: cut to 64 tokens (--no-truncate makes it an error)\n");
  EXPECT_EQ(io::load_npy(folder / "out.npy").shape(), Shape({3, 64, 32}));
  const Ran longer = run({endless, "--max-length", "600", "--output", folder / "out.npy"});
  EXPECT_NE(longer.error.find("cut to 512 tokens"), std::string::npos) << longer.error;
  EXPECT_EQ(io::load_npy(folder / "out.npy").size(1), 512);
  const Ran refused = run({endless, "--no-truncate"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.error.find("602 tokens"), std::string::npos) << refused.error;
}

TEST_F(BertEmbed, AFullDiskLeavesTheOldFile) {
  for (const char* name : {"old.npy", "old.safetensors", "old.jsonl"}) {
    io::write_file(folder / name, "old");
    const Ran ran = run({"Hello", "--output", folder / name},
                        {.environment = {{"LD_PRELOAD", PERCALE_FAULTS}, {"PERCALE_FAULT", "full:write:1:old."}}});
    EXPECT_EQ(ran.code, 1);
    EXPECT_NE(ran.error.find("No space left"), std::string::npos) << ran.error;
    EXPECT_EQ(io::read_file(folder / name), "old");
  }
}

TEST_F(BertEmbed, MistakesAreOneClearLine) {
  const auto refused = [&](const Words& words, int code, const std::string& says) {
    testing::expect_refused(run(words), code, says);
  };
  refused({}, 1, "standard input: expected a text a line, found nothing");
  refused({"--file", folder / "none"}, 1, "--file " + (folder / "none") + ": No such file");
  refused({"--file", folder / "none", "text"}, 2, "give one");
  refused({"a", "--output", folder / "out.csv"}, 2, "expected a file .npy, .safetensors or .jsonl");
  refused({"a", "--pooling", "average"}, 2, "'average' is not one of");
  refused({"a", "--pooling", "none", "--similarity"}, 2, "--pooling none");
  refused({"a", "--layer", "3"}, 1, "layer must be from -3 to 2, got 3");
  refused({"a", "--max-length", "2"}, 2, "at least 3");
  refused({"a", "--reduce", "2", "--search", "b"}, 2, "--reduce");
}

}  // namespace
}  // namespace percale
