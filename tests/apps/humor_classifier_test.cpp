// humor_classifier: without anything, on frozen vectors, fine-tuned; the same bytes twice; files and mistakes.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "run_program.h"
#include "small_encoder.h"

namespace percale {
namespace {

using testing::Folder;
using testing::last_line;
using testing::Ran;
using testing::run_program;
using testing::RunOptions;
using testing::Words;

/// A folder with a small encoder, `texts.csv` with 60 texts, and a cache of its own.
struct HumorClassifier : ::testing::Test {
  Folder folder;
  std::string model = folder / "model", texts = folder / "texts.csv";

  void SetUp() override {
    testing::write_small_encoder(model);
    const data::LabelledTexts shipped = data::shipped_texts();
    std::string csv = "text,humor\n";
    for (size_t i = 0; i < 60; ++i) csv += data::csv_line({shipped.texts[i], i % 2 == 0 ? "True" : "False"});
    io::write_file(texts, csv);
  }

  Ran run(Words words, RunOptions options = {}) const {
    words.insert(words.end(), {"--device", "cpu"});
    options.environment.emplace_back("XDG_CACHE_HOME", folder / "cache");
    return run_program("humor_classifier", words, options);
  }
  /// On the small encoder and the 60 texts: 40, 10 and 10 of them.
  Ran train(Words words, const RunOptions& options = {}) const {
    words.insert(words.end(), {"--data", texts, "--model", model, "--rows", "40", "10", "10"});
    return run(words, options);
  }
};

TEST_F(HumorClassifier, LearnsTheShippedTextsWithoutAModel) {
  const Ran ran = run({"--picture", folder / "roc.png", "--metrics", folder / "metrics", "--predict",
                       "Why did the cow cross the road?", "Minister announces new tax on trade"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(std::regex_search(ran.out, std::regex("^Epoch 1, Loss: 0\\.(69|70)\\d+\n"))) << ran.out;
  EXPECT_NE(ran.out.find("\nEpoch 100, Loss: 0.0"), std::string::npos);
  EXPECT_TRUE(std::regex_search(ran.out, std::regex("\n0\\.9\\d+ yes  Why did the cow.*\n0\\.0\\d+ no   Minister")))
      << ran.out;
  EXPECT_EQ(io::read_file(folder / "roc.png").substr(1, 3), "PNG");
  const auto metrics = last_line(folder / "metrics");
  EXPECT_GE(metrics["test_accuracy"].get<double>(), 0.9);
  EXPECT_GE(metrics["auc"].get<double>(), 0.95);
  EXPECT_GT(metrics["f1"].get<double>(), 0.8);
  EXPECT_EQ(metrics["data"], "200 shipped texts");
  EXPECT_EQ(metrics["train_texts"], 160);
  EXPECT_LT(ran.processor_seconds, 30);
}

TEST_F(HumorClassifier, ComputesTheVectorsOfTextsOnce) {
  std::string csv = "text,humor\n";
  const data::LabelledTexts shipped = data::shipped_texts();
  for (size_t i = 0; i < 200; ++i) csv += data::csv_line({shipped.texts[i], i % 2 == 0 ? "1" : "0"});
  io::write_file(folder / "all.csv", csv);
  const Words words = {"--data", folder / "all.csv", "--model", model, "--epochs", "3"};
  const Ran first = run(words), second = run(words);
  ASSERT_EQ(first.code, 0) << first.error;
  EXPECT_NE(first.error.find("the vectors are kept in " + (folder / "cache")), std::string::npos) << first.error;
  EXPECT_NE(second.error.find("the vectors are those of " + (folder / "cache")), std::string::npos) << second.error;
  EXPECT_EQ(first.out.substr(0, first.out.find("texts/s")).substr(0, 200), second.out.substr(0, 200));
  // Another content of the model, other vectors.
  testing::write_small_encoder(model, 6);
  EXPECT_NE(run(words).error.find("the vectors are kept in "), std::string::npos);
}

TEST_F(HumorClassifier, GivesTheSameBytesAtAnyNumberOfThreads) {
  for (const Words& way : {Words{"--epochs", "3", "--batch", "16"}, Words{"--fine-tune", "all", "--batch", "8"}}) {
    for (const char* threads : {"1", "2"}) {
      Words words = way;
      words.insert(words.end(), {"--threads", threads, "--save", folder / threads});
      const Ran ran = train(words);
      ASSERT_EQ(ran.code, 0) << ran.error;
    }
    EXPECT_TRUE(io::read_file(folder / "1") == io::read_file(folder / "2"));
  }
}

TEST_F(HumorClassifier, FineTuningTheLastLayersLeavesTheOthersTheirBytes) {
  const Ran ran = train({"--fine-tune", "last:1", "--lr", "0.01", "--export", folder / "tuned"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  const io::Safetensors before = io::load_safetensors(model + "/model.safetensors");
  const io::Safetensors after = io::load_safetensors(folder / "tuned/model.safetensors");
  ASSERT_EQ(before.tensors.size(), after.tensors.size());
  int moved = 0, kept = 0;
  for (const auto& [name, tensor] : before.tensors) {
    const Tensor other = after.find(name);
    ASSERT_TRUE(other.defined()) << name;
    const size_t bytes = static_cast<size_t>(tensor.numel()) * sizeof(float);
    const bool same = std::memcmp(tensor.data(), other.data(), bytes) == 0;
    EXPECT_EQ(same, name.find("layer.1.") == std::string::npos) << name;
    ++(same ? kept : moved);
  }
  EXPECT_EQ(moved, 16);
  EXPECT_GT(kept, 16);
}

TEST_F(HumorClassifier, AnExportedFolderAnswersAsTheRunThatWroteIt) {
  const Words question = {"--predict", "Why did the chicken cross the road?", "Bank holds rates"};
  const auto answers = [](const Ran& ran) { return ran.out.substr(ran.out.find("Why") - 12); };
  for (const Words& way : {Words{"--epochs", "3"}, Words{"--fine-tune", "all", "--max-length", "16"}}) {
    Words words = way;
    words.insert(words.end(), {"--export", folder / "out"});
    words.insert(words.end(), question.begin(), question.end());
    const Ran written = train(words);
    ASSERT_EQ(written.code, 0) << written.error;
    Words again = {"--model", folder / "out"};
    again.insert(again.end(), question.begin(), question.end());
    const Ran read = run(again);
    ASSERT_EQ(read.code, 0) << read.error;
    EXPECT_EQ(answers(read), answers(written));
    std::filesystem::remove_all(folder / "out");
  }
}

TEST_F(HumorClassifier, SavedWeightsAnswerWithoutLearning) {
  ASSERT_EQ(run({"--epochs", "20", "--save", folder / "weights", "--quiet"}).code, 0);
  const Ran ran = run({"--load", folder / "weights", "--predict", "Why did the cow cross the road?"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.out.find("Epoch"), std::string::npos);
  EXPECT_NE(ran.out.find(" yes  Why did the cow"), std::string::npos) << ran.out;
}

TEST_F(HumorClassifier, ResumesToTheSameBytes) {
  for (const Words& way : {Words{"--epochs", "6", "--batch", "16", "--patience", "2"},
                           Words{"--fine-tune", "all", "--epochs", "2", "--batch", "16", "--patience", "3"}}) {
    const auto with = [&](Words more) { return more.insert(more.begin(), way.begin(), way.end()), train(more); };
    ASSERT_EQ(with({"--save", folder / "whole"}).code, 0);
    const Words half = {"--checkpoint", folder / "half", "--checkpoint-every", "4"};
    Words stopped = half, resumed = half;
    resumed.insert(resumed.end(), {"--resume", "--save", folder / "resumed"});
    // Killed while the checkpoint of step 4 is synced: the next run goes on from it.
    stopped.insert(stopped.begin(), way.begin(), way.end());
    const Ran killed = train(
        stopped, {.environment = {{"LD_PRELOAD", PERCALE_FAULTS}, {"PERCALE_FAULT", "kill_after:rename:1:half"}}});
    EXPECT_EQ(killed.code, 137);
    const Ran ran = with(resumed);
    ASSERT_EQ(ran.code, 0) << ran.error;
    EXPECT_NE(ran.error.find("resuming at step 4"), std::string::npos) << ran.error;
    EXPECT_TRUE(io::read_file(folder / "whole") == io::read_file(folder / "resumed"));
    std::filesystem::remove(folder / "half");
  }
}

TEST_F(HumorClassifier, StopsEarlyAndGoesBackToTheBestWeights) {
  // At this rate the loss on the validation texts jumps about: some epoch is the best, and two later ones are not.
  const Words words = {"--epochs", "100", "--lr", "3", "--batch", "8"};
  Words patient = words;
  patient.insert(patient.end(), {"--patience", "2", "--metrics", folder / "metrics", "--save", folder / "best"});
  ASSERT_EQ(train(patient).code, 0);
  const auto metrics = last_line(folder / "metrics");
  const auto epochs = metrics["epochs"].get<int64_t>();
  ASSERT_LT(epochs, 100);
  ASSERT_GT(epochs, 2);
  Words fewer = words;
  fewer[1] = std::to_string(epochs - 2);
  fewer.insert(fewer.end(), {"--save", folder / "fewer"});
  ASSERT_EQ(train(fewer).code, 0);
  EXPECT_TRUE(io::read_file(folder / "best") == io::read_file(folder / "fewer"));
}

TEST_F(HumorClassifier, AFullDiskLeavesTheOldFile) {
  io::write_file(folder / "weights", "the old weights");
  const Ran ran = run({"--epochs", "1", "--save", folder / "weights"},
                      {.environment = {{"LD_PRELOAD", PERCALE_FAULTS}, {"PERCALE_FAULT", "full:write:1:weights"}}});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.error.find("No space left"), std::string::npos) << ran.error;
  EXPECT_EQ(io::read_file(folder / "weights"), "the old weights");
}

TEST_F(HumorClassifier, LongTextsAreCutOnceSaidOrRefused) {
  std::string csv = "text,humor\n", endless;
  for (int i = 0; i < 600; ++i) endless += "word ";
  for (int i = 0; i < 12; ++i) csv += data::csv_line({i % 2 ? "short one" : endless, i % 2 ? "true" : "false"});
  io::write_file(folder / "long.csv", csv);
  const Words words = {"--data", folder / "long.csv", "--epochs", "2"};
  for (const Words& way : {Words{}, Words{"--model", model}, Words{"--model", model, "--fine-tune", "head"}}) {
    Words cut = words, refused = words;
    cut.insert(cut.end(), way.begin(), way.end());
    const Ran ran = run(cut);
    EXPECT_EQ(ran.code, 0) << ran.error;
    const std::string line = "6 of 12 texts: cut to " + std::string(way.empty() ? "128" : "64") + " tokens";
    EXPECT_NE(ran.error.find(line), std::string::npos) << ran.error;
    EXPECT_EQ(ran.error.find(line), ran.error.rfind(line));
    cut.push_back("--no-truncate");
    const Ran no = run(cut);
    EXPECT_EQ(no.code, 1);
    EXPECT_NE(no.error.find("tokens"), std::string::npos) << no.error;
  }
}

TEST_F(HumorClassifier, MistakesAreOneClearLine) {
  const auto refused = [&](const Words& words, int code, const std::string& says) {
    testing::expect_refused(run(words), code, says);
  };
  io::write_file(folder / "label.csv", "text,humor\na,True\nb,funny\nc,False\n");
  io::write_file(folder / "nul.csv", std::string("text,humor\na\0b,True\n", 20));
  io::write_file(folder / "latin.csv", "text,humor\ncaf\xe9,True\n");
  io::write_file(folder / "two.csv", "text,humor\na,True\nb,False\n");
  refused({"--data", folder / "label.csv"}, 1,
          "label.csv, line 3, column 2 (humor): expected true or false, found 'funny'");
  refused({"--data", folder / "nul.csv"}, 1, "nul.csv, line 2");
  refused({"--data", folder / "latin.csv"}, 1, "latin.csv, line 2");
  refused({"--data", folder / "two.csv"}, 1, "expected at least 3 texts, found 2");
  refused({"--data", folder / "none.csv"}, 1, "none.csv");
  refused({"--data", texts, "--label", "mood"}, 1, "expected a column called mood, found text, humor");
  refused({"--data", texts, "--rows", "50", "10", "10"}, 1, "there are 60");
  refused({"--data", texts, "--rows", "50", "10"}, 2, "--rows: expected three numbers");
  refused({"--data", texts, "--rows", "50", "0", "10", "--patience", "2"}, 2, "--rows has none");
  refused({"--encoder", "bert"}, 2, "--encoder bert needs --model");
  refused({"--encoder", "bag", "--model", model}, 2, "give one");
  refused({"--fine-tune", "all"}, 2, "--fine-tune needs --model");
  refused({"--fine-tune", "last:0", "--model", model}, 2, "expected all, head or last:N such as last:2, got 'last:0'");
  refused({"--fine-tune", "last:3", "--model", model}, 1, "there are 2 layers, got 3");
  refused({"--epochs", "0"}, 2, "--epochs 0 looks at weights");
  refused({"--rows", "5", "5", "5"}, 2, "--rows needs --data");
  refused({"--model", folder / "nothing"}, 1, "nothing");
  refused({"--export", folder / "a/b/c", "--model", model}, 1, "there is no folder");
}

}  // namespace
}  // namespace percale
