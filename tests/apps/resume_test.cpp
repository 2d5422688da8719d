// Interrupted, killed, resumed: the bytes are those of a run that nobody disturbed.
#include <gtest/gtest.h>

#include <regex>

#include "digits.h"
#include "run_program.h"

namespace percale {
namespace {

using testing::Folder;
using testing::Ran;
using testing::run_program;
using testing::RunOptions;
using testing::with;
using testing::Words;

/// 17 steps an epoch, 3 epochs.
struct Resume : ::testing::Test {
  Folder folder;
  std::string expected;  ///< the weights of a run that nobody disturbed

  void SetUp() override {
    testing::write_digits(folder.path(), 1056, 50);
    const Ran ran = train({}, {});
    ASSERT_EQ(ran.code, 0) << ran.error;
    expected = io::read_file(folder / "weights");
    std::filesystem::remove(folder / "weights");
    std::filesystem::remove(folder / "checkpoint");
  }

  Ran train(const Words& more, const RunOptions& options) {
    Words words = {"--data",
                   folder.path(),
                   "--device",
                   "cpu",
                   "--epochs",
                   "3",
                   "--save",
                   folder / "weights",
                   "--checkpoint",
                   folder / "checkpoint",
                   "--checkpoint-every",
                   "5"};
    return run_program("mnist_cnn", with(words, more), options);
  }

  void expect_resumed() {
    const Ran ran = train({"--resume"}, {});
    ASSERT_EQ(ran.code, 0) << ran.error;
    EXPECT_TRUE(std::regex_search(ran.error, std::regex("resum|no checkpoint"))) << ran.error;
    EXPECT_TRUE(io::read_file(folder / "weights") == expected);
    std::filesystem::remove(folder / "weights");
    std::filesystem::remove(folder / "checkpoint");
  }
};

TEST_F(Resume, AfterAnInterruption) {
  const Ran ran =
      train({}, {.environment = {{"LD_PRELOAD", PERCALE_FAULTS}, {"PERCALE_FAULT", "interrupt:rename:4:checkpoint"}}});
  EXPECT_EQ(ran.code, 130);
  EXPECT_FALSE(std::filesystem::exists(folder / "weights"));
  EXPECT_TRUE(std::filesystem::exists(folder / "checkpoint"));
  expect_resumed();
}

TEST_F(Resume, WithMoreEpochs) {
  ASSERT_EQ(train({"--epochs", "2"}, {}).code, 0);
  expect_resumed();
  // Once more, there is nothing left to train.
  ASSERT_EQ(train({}, {}).code, 0);
  const Ran again = train({"--resume"}, {});
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(again.out.find("Epoch"), std::string::npos) << again.out;
  EXPECT_TRUE(io::read_file(folder / "weights") == expected);
}

TEST_F(Resume, AfterKillsAtAnyMoment) {
  const double whole = [&] {
    const Ran ran = train({}, {});
    std::filesystem::remove(folder / "checkpoint");
    return ran.seconds;
  }();
  for (int i = 1; i <= 15; ++i) {
    const Ran ran = train({}, {.kill_after = whole * i / 16});
    EXPECT_TRUE(ran.code == 128 + SIGKILL || ran.code == 0) << ran.code << " " << ran.error;
    expect_resumed();
  }
}

TEST_F(Resume, AfterKillsWhileACheckpointIsWritten) {
  for (const std::string fault : {"kill:write:1:checkpoint", "kill:write:4:checkpoint", "kill:fsync:2:checkpoint",
                                  "kill:rename:2:checkpoint", "kill_after:rename:3:checkpoint"}) {
    const Ran ran = train({}, {.environment = {{"LD_PRELOAD", PERCALE_FAULTS}, {"PERCALE_FAULT", fault}}});
    EXPECT_EQ(ran.code, 128 + SIGKILL) << fault << " " << ran.error;
    expect_resumed();
  }
}

TEST_F(Resume, FromWhatIsNoCheckpoint) {
  io::write_file(folder / "checkpoint", "not a checkpoint");
  const Ran ran = train({"--resume"}, {});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.error.find(folder / "checkpoint"), std::string::npos) << ran.error;
}

}  // namespace
}  // namespace percale
