// percale_bench: rows, checks, and the comparison with somebody else's.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "../../core/io/file.h"
#include "run_program.h"

namespace percale {
namespace {

using testing::Folder;
using testing::Ran;
using testing::run_program;

TEST(PercaleBench, PrintsJsonWithThePeersKeys) {
  const Ran ran = run_program(
      "percale_bench", {"linear_relu.64x784x128", "--json", "--seconds", "0.02", "--device", "cpu", "--threads", "1"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto row = nlohmann::json::parse(ran.out);
  EXPECT_EQ(row["case"], "linear_relu.64x784x128");
  EXPECT_EQ(row["threads"], 1);
  EXPECT_EQ(row["version"], PERCALE_VERSION);
  EXPECT_GT(row["ms"].get<double>(), 0);
  EXPECT_GT(row["ceiling_share"].get<double>(), 0);
  EXPECT_EQ(row["system_allocations"].get<double>(), 0);
  EXPECT_LT(std::stod(row["checked"].get<std::string>()), 1e-5);
}

TEST(PercaleBench, ComparesWithThePlainAndTheBestOfAPeersVariants) {
  const Folder folder;
  io::write_file(folder / "peer.jsonl",
                 "{\"case\": \"linear_relu.64x784x128\", \"ms\": 1000.0, \"threads\": 2, \"torch\": \"2\"}\n"
                 "{\"case\": \"linear_relu.64x784x128.compiled\", \"ms\": 500.0}\n"
                 "{\"case\": \"linear_relu.64x784x128.fused\", \"error\": \"no such thing\"}\n"
                 "{\"case\": \"linear_relu.64x784x128.bf16.fused\", \"ms\": 0.000001}\n");
  const Ran ran = run_program("percale_bench", {"linear_relu.64x784x128", "--compare", folder / "peer.jsonl",
                                                "--seconds", "0.02", "--device", "cpu"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  std::smatch match;
  ASSERT_TRUE(std::regex_search(ran.out, match,
                                std::regex("linear_relu.64x784x128 +([0-9.]+) .* ([0-9.]+) +([0-9.]+) compiled")))
      << ran.out;
  EXPECT_NEAR(std::stod(match[2]) / std::stod(match[3]), 2, 0.01);
  EXPECT_NEAR(std::stod(match[1]) * std::stod(match[2]) / 1000, 1, 0.01);
}

TEST(PercaleBench, TellsHowManyWordsAStepLearns) {
  for (const char* name : {"skip_gram.128", "skip_gram.300.fast"}) {
    const Ran ran =
        run_program("percale_bench", {name, "--json", "--seconds", "0.02", "--device", "cpu", "--threads", "1"});
    ASSERT_EQ(ran.code, 0) << ran.error;
    const auto row = nlohmann::json::parse(ran.out.substr(0, ran.out.find('\n')));
    EXPECT_EQ(row["case"], name);
    EXPECT_NEAR(row["words_per_s"].get<double>() * row["ms"].get<double>() / 1000, 32'768, 1);
    EXPECT_GT(row["ceiling_share"].get<double>(), 0);
    EXPECT_NE(row["checked"].get<std::string>().find("loss"), std::string::npos);
  }
}

TEST(PercaleBench, ListsItsCases) {
  const Ran ran = run_program("percale_bench", {"--list"});
  EXPECT_EQ(ran.code, 0);
  for (const char* name : {"cnn.b64", "cnn.b64.bf16", "cnn.forward.b64", "cnn.forward.b1", "image_encoder.b8",
                           "linear_relu.1x4096x4096", "adam.25.6M"})
    EXPECT_NE(("\n" + ran.out).find(std::string("\n") + name + "\n"), std::string::npos) << name;
}

/// A steady training step asks the system for nothing: no memory, no pages. Where another process takes a processor,
/// one thread does the early work of both, and the other's workspace is first asked for while the clock runs: once, and
/// in a run that is disturbed. A step that allocates does so in every run.
TEST(PercaleBench, ASteadyStepMeetsNoPageFaultAndNoAllocation) {
  double allocations = 1, faults = 1;
  for (int run = 0; run < 10 && (allocations > 0 || faults >= 1); ++run) {
    const Ran ran = run_program("percale_bench", {"cnn.b64", "--json", "--seconds", "1.5", "--device", "cpu"});
    ASSERT_EQ(ran.code, 0) << ran.error;
    const auto row = nlohmann::json::parse(ran.out.substr(0, ran.out.find('\n')));  // cnn.b64.bf16 comes after it
    EXPECT_EQ(row["case"], "cnn.b64");
    allocations = row["system_allocations"].get<double>();
    faults = row["page_faults"].get<double>();
  }
  EXPECT_EQ(allocations, 0);
  EXPECT_LT(faults, 1);
}

TEST(PercaleBench, RefusesWhatIsNoJson) {
  const Folder folder;
  io::write_file(folder / "peer.jsonl", "case ms\n");
  const Ran ran = run_program("percale_bench", {"--compare", folder / "peer.jsonl"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.error.find("line 1"), std::string::npos) << ran.error;
}

}  // namespace
}  // namespace percale
