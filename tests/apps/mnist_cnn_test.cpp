// mnist_cnn as its user sees it: what it prints and writes, the same bytes whichever way it came to its end.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "../../core/io/npy.h"
#include "../../core/io/safetensors.h"
#include "digits.h"
#include "run_program.h"

namespace percale {
namespace {

using testing::Folder;
using testing::Ran;
using testing::run_program;
using testing::RunOptions;
using testing::small_digits;
using testing::with;
using testing::Words;

Ran train(const Words& more, const RunOptions& options = {}) {
  return run_program("mnist_cnn", with({"--data", small_digits(), "--device", "cpu"}, more), options);
}

/// Output without what may differ from run to run: how fast it was.
std::string without_rates(const std::string& text) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.find("images/s") == std::string::npos) result += line + "\n";
  return result;
}

TEST(MnistCnn, PrintsWhatTheTutorialPrints) {
  const Ran ran = train({"--epochs", "2"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::regex lines(
      "Epoch \\[1/2\\], Loss: \\d\\.\\d{4}\n"
      "Epoch \\[2/2\\], Loss: \\d\\.\\d{4}\n"
      "Training complete!\n"
      "torch\\.Size\\(\\[64, 128\\]\\)\n"
      "tensor\\(\\[[-0-9., \n]+\\]\\)\n"
      "Test accuracy: \\d+\\.\\d\\d % \\(\\d+ of 300\\)\n"
      "[^\n]*images/s[^\n]*\n");
  EXPECT_TRUE(std::regex_match(ran.out, lines)) << ran.out;
  EXPECT_EQ(ran.out.find('\r'), std::string::npos);
  EXPECT_EQ((ran.out + ran.error).find('\033'), std::string::npos);
}

TEST(MnistCnn, SameSeedSameBytesAtAnyNumberOfThreads) {
  const Folder folder;
  std::string weights[4], embeddings[4], printed[4];
  const Words ways[] = {{"--threads", "2"}, {"--threads", "2"}, {"--threads", "1"}, {"--seed", "1"}};
  for (int i = 0; i < 4; ++i) {
    const Ran ran = train(with({"--epochs", "1", "--save", folder / "w", "--embeddings", folder / "e.npy"}, ways[i]));
    ASSERT_EQ(ran.code, 0) << ran.error;
    weights[i] = io::read_file(folder / "w");
    embeddings[i] = io::read_file(folder / "e.npy");
    printed[i] = without_rates(ran.out);
  }
  for (const int same : {1, 2}) {
    EXPECT_EQ(weights[same], weights[0]);
    EXPECT_EQ(embeddings[same], embeddings[0]);
    EXPECT_EQ(printed[same], printed[0]);
  }
  EXPECT_NE(weights[3], weights[0]);
  EXPECT_EQ(io::load_npy(folder / "e.npy").shape(), Shape({testing::small_test, 128}));
}

TEST(MnistCnn, WritesWeightsMetricsAndPictures) {
  const Folder folder;
  const Ran ran =
      train({"--epochs", "2", "--save", folder / "w", "--metrics", folder / "m.jsonl", "--picture", folder / "p.png"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(io::read_file(folder / "p.png").substr(0, 4), "\x89PNG");
  const io::Safetensors saved = io::load_safetensors(folder / "w");
  ASSERT_EQ(saved.tensors.size(), 8u);
  EXPECT_EQ(saved.find("conv1.weight").shape(), Shape({32, 1, 3, 3}));
  EXPECT_EQ(saved.find("fc1.weight").shape(), Shape({128, 64 * 7 * 7}));

  std::istringstream lines(io::read_file(folder / "m.jsonl"));
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(rows.size(), 3u);
  for (int epoch = 1; epoch <= 2; ++epoch) {
    EXPECT_EQ(rows[epoch - 1]["epoch"], epoch);
    for (const char* key : {"loss", "test_accuracy", "images_per_s"})
      EXPECT_TRUE(rows[epoch - 1][key].is_number()) << key;
  }
  EXPECT_EQ(rows[2]["final"], true);
  for (const char* key : {"loss", "test_accuracy", "images_per_s", "correct", "of"})
    EXPECT_TRUE(rows[2][key].is_number()) << key;
  EXPECT_NE(rows[2]["data"].get<std::string>().find(small_digits()), std::string::npos);

  // Scored alone, the weights do as well.
  const Ran scored = train({"--epochs", "0", "--load", folder / "w"});
  ASSERT_EQ(scored.code, 0) << scored.error;
  EXPECT_EQ(scored.out.find("Epoch"), std::string::npos);
  const std::string accuracy = ran.out.substr(ran.out.find("Test accuracy"), 40);
  EXPECT_NE(scored.out.find(accuracy.substr(0, accuracy.find('\n'))), std::string::npos) << scored.out;
}

TEST(MnistCnn, TracesAndProfiles) {
  const Folder folder;
  const Ran ran = train({"--epochs", "1", "--trace", folder / "t.json", "--profile-table", "--profile", "3:5"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_NE(ran.out.find("operation"), std::string::npos);
  EXPECT_NE(ran.out.find("percale::conv2d"), std::string::npos);
  const auto trace = nlohmann::json::parse(io::read_file(folder / "t.json"));
  int steps = 0;
  for (const auto& event : trace["traceEvents"]) steps += event["name"].get<std::string>().starts_with("step ");
  EXPECT_EQ(steps, 2);
}

TEST(MnistCnn, OnATerminalThereIsAProgressBarAndNothingElseChanges) {
  const Ran piped = train({"--epochs", "1"}), terminal = train({"--epochs", "1"}, {.terminal = true});
  EXPECT_EQ(terminal.code, 0);
  EXPECT_NE(terminal.out.find('\r'), std::string::npos);
  std::istringstream lines(piped.out);
  for (std::string line; std::getline(lines, line);)
    if (line.find("images/s") == std::string::npos) {
      EXPECT_NE(terminal.out.find(line), std::string::npos) << line << "\n" << terminal.out;
    }
  const Ran plain = train({"--epochs", "1"}, {.environment = {{"NO_COLOR", "1"}}, .terminal = true});
  EXPECT_FALSE(std::regex_search(plain.out, std::regex("\033\\[[0-9;]*m")));
}

TEST(MnistCnn, QuietPrintsResultsAlone) {
  const Ran ran = train({"--epochs", "1", "--quiet"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.error, "");
  EXPECT_EQ(ran.out.find("Epoch"), std::string::npos);
  EXPECT_NE(ran.out.find("Test accuracy"), std::string::npos);
}

TEST(MnistCnn, GeneratedDigitsNeedNoFilesAndAreNamed) {
  // Each thread has a workspace: on how many processors must not decide.
  const Ran ran =
      run_program("mnist_cnn", {"--data", "generated", "--epochs", "1", "--device", "cpu", "--threads", "2"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_LE(ran.megabytes, 300);
  const std::string last = ran.out.substr(ran.out.rfind('\n', ran.out.size() - 2) + 1);
  EXPECT_NE(last.find("generated"), std::string::npos) << last;
}

TEST(MnistCnn, AFullDiskLeavesTheOldFile) {
  const Folder folder;
  io::write_file(folder / "weights", "old");
  for (const std::string fault : {"full:write:1:weights", "full:fsync:1:weights", "full:rename:1:weights"}) {
    const Ran ran = train({"--epochs", "1", "--save", folder / "weights"},
                          {.environment = {{"LD_PRELOAD", PERCALE_FAULTS}, {"PERCALE_FAULT", fault}}});
    EXPECT_EQ(ran.code, 1) << fault;
    EXPECT_NE(ran.error.find(folder / "weights"), std::string::npos) << ran.error;
    EXPECT_NE(ran.error.find("No space left"), std::string::npos) << ran.error;
    EXPECT_EQ(io::read_file(folder / "weights"), "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator()),
              1);
  }
  const Ran ran = train({"--epochs", "1"}, {.output_file = "/dev/full"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.error.find("standard output"), std::string::npos) << ran.error;
}

}  // namespace
}  // namespace percale
