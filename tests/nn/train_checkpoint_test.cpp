// Checkpoints: they read back bit for bit, refuse what is wrong, and are whole whatever happens while they are written.
#include <gtest/gtest.h>
#include <percale/core/io/safetensors.h>
#include <percale/kernels/fill/fill.h>
#include <percale/nn/train/checkpoint.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::train {
namespace {

namespace fs = std::filesystem;

/// A checkpoint that can be told from others, and of which any part can be checked against any other.
Checkpoint numbered(int64_t number, int64_t elements = 1000) {
  Checkpoint checkpoint;
  checkpoint.model = {{"a", full({elements}, static_cast<double>(number))},
                      {"b.weight", full({3, 2}, static_cast<double>(number))}};
  checkpoint.optimizer = {{"state.0.step", full({1}, static_cast<double>(number), {f64, cpu_device})}};
  checkpoint.random = {0xfedcba9876543210u, number, 7};
  checkpoint.position = {number, 3};
  checkpoint.arguments = "--lr 0.001 --é";
  checkpoint.numbers = {{"loss_sum", 0.1 + static_cast<double>(number)}, {"nothing", NAN}, {"far", -INFINITY}};
  return checkpoint;
}

/// The number of a checkpoint that is whole, or -1.
int64_t number_of(const Checkpoint& checkpoint) {
  const int64_t number = checkpoint.position.epoch;
  bool whole = checkpoint.random.step == number && checkpoint.model.size() == 2 && checkpoint.optimizer.size() == 1;
  for (const auto* state : {&checkpoint.model, &checkpoint.optimizer})
    for (const auto& [name, tensor] : *state)
      for (int64_t i = 0; i < tensor.numel(); i += 97)
        whole = whole && tensor.reshape({-1})[i].item<double>() == static_cast<double>(number);
  return whole ? number : -1;
}

class CheckpointFile : public ::testing::Test {
 protected:
  std::string refusal(const std::string& bytes) {
    return percale::testing::message_of([&] { load_checkpoint(io::Source(bytes, "x.ckpt")); });
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  const percale::testing::Folder folder_;
  const std::string path_ = folder_ / "run.ckpt";
};

TEST_F(CheckpointFile, ReadsBackBitForBit) {
  save_checkpoint(path_, numbered(5));
  const Checkpoint read = load_checkpoint(path_);
  EXPECT_EQ(number_of(read), 5);
  EXPECT_EQ(read.random.seed, 0xfedcba9876543210u);
  EXPECT_EQ(read.random.call, 7u);
  EXPECT_EQ(read.position, (data::LoaderPosition{5, 3}));
  EXPECT_EQ(read.arguments, "--lr 0.001 --é");
  EXPECT_EQ(read.numbers.at("loss_sum"), 5.1);
  EXPECT_TRUE(std::isnan(read.numbers.at("nothing")));
  EXPECT_EQ(read.numbers.at("far"), -INFINITY);
  EXPECT_NO_THROW(require_arguments(path_, read, "--lr 0.001 --é"));
  EXPECT_THROW(require_arguments(path_, read, "--lr 0.002"), Error);
  EXPECT_EQ(files(), (std::vector<std::string>{"run.ckpt"}));
}

TEST_F(CheckpointFile, RefusesWhatIsNone) {
  save_checkpoint(path_, numbered(5, 10));
  const std::string good = io::read_file(path_);
  EXPECT_EQ(refusal(good), "no error");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    bytes.replace(bytes.find(from), from.size(), to);
    return refusal(bytes);
  };
  EXPECT_NE(with("\"step\":\"3\"", "\"stop\":\"3\"").find("x.ckpt: expected the field step, found none"),
            std::string::npos);
  EXPECT_NE(with("\"step\":\"3\"", "\"step\":\"-\"").find("expected a count as step, found '-'"), std::string::npos);
  EXPECT_NE(with("percale.checkpoint", "percale.checkPoint")
                .find("expected the format percale.checkpoint, found 'percale.checkPoint'"),
            std::string::npos);
  EXPECT_NE(with("\"version\":\"1\"", "\"version\":\"2\"").find("expected version 1, found '2'"), std::string::npos);
  EXPECT_NE(with("optimizer.", "0ptimizer.").find("found '0ptimizer.state.0.step'"), std::string::npos);
  EXPECT_NE(with("0x1.4666666666666p+2", "0x1.4666666666666p+x").find("expected a number as 'number.loss_sum'"),
            std::string::npos);
  EXPECT_NE(refusal(good.substr(0, good.size() - 1)), "no error");
  io::save_safetensors(path_, {{"a", zeros({1})}});
  EXPECT_NE(refusal(io::read_file(path_)).find("expected the format percale.checkpoint, found 'pt'"),
            std::string::npos);
}

TEST_F(CheckpointFile, AFullDiskLeavesTheOldFileWhole) {
  save_checkpoint(path_, numbered(1));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{100'000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = percale::testing::message_of([&] { save_checkpoint(path_, numbered(2, 1'000'000)); });
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_NE(message.find(path_ + ": cannot be written: File too large; the file is as it was"), std::string::npos)
      << message;
  EXPECT_EQ(number_of(load_checkpoint(path_)), 1);
  EXPECT_EQ(files(), (std::vector<std::string>{"run.ckpt"}));
}

TEST_F(CheckpointFile, AFolderThatCannotBeWrittenIsAnError) {
  EXPECT_THROW(save_checkpoint(folder_ / "nowhere/run.ckpt", numbered(1)), Error);
  EXPECT_THROW(save_checkpoint("/proc/run.ckpt", numbered(1)), Error);
  save_checkpoint(path_, numbered(1));
  fs::create_directories(folder_ / "taken/full");
  EXPECT_THROW(save_checkpoint(folder_ / "taken", numbered(1)), Error) << "a folder stands where the file should";
  if (geteuid() != 0) {
    chmod(folder_.path().c_str(), 0500);
    EXPECT_THROW(save_checkpoint(path_, numbered(2)), Error);
    chmod(folder_.path().c_str(), 0700);
  }
  EXPECT_EQ(number_of(load_checkpoint(path_)), 1);
}

TEST_F(CheckpointFile, TwoWritersDoNotMixTheirBytes) {
  const auto write = [&](int64_t number) {
    for (int i = 0; i < 30; ++i) save_checkpoint(path_, numbered(number, 20'000));
  };
  std::thread other(write, 2);
  write(1);
  other.join();
  EXPECT_GT(number_of(load_checkpoint(path_)), 0);
  EXPECT_EQ(files(), (std::vector<std::string>{"run.ckpt"}));
}

/// What the tests below start as a process of its own, and kill: writes one checkpoint after the other.
class WritesOnAndOn : public ::testing::Test {
 public:
  explicit WritesOnAndOn(std::string path) : path_(std::move(path)) {}

  void TestBody() override {
    const int64_t first = fs::exists(path_) ? number_of(load_checkpoint(path_)) + 1 : 1;
    for (int64_t number = first; number < first + 100'000; ++number) {
      try {
        save_checkpoint(path_, numbered(number, 200'000));
      } catch (const Error&) {
        _exit(9);
      }
    }
  }

 private:
  std::string path_;
};

/// It is a test only in such a process, which knows its file from the environment.
[[maybe_unused]] const bool is_writer = [] {
  const char* path = std::getenv("PERCALE_CHECKPOINT");
  if (path)
    ::testing::RegisterTest("CheckpointWriter", "WritesOnAndOn", nullptr, nullptr, __FILE__, __LINE__,
                            [path] { return new WritesOnAndOn(path); });
  return path != nullptr;
}();

/// Starts the writer; `fault` as tests/faults takes it, or empty.
pid_t start_writer(const std::string& path, const std::string& fault) {
  const pid_t child = fork();
  if (child != 0) return child;
  setenv("PERCALE_CHECKPOINT", path.c_str(), 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  if (!fault.empty()) {
    setenv("LD_PRELOAD", PERCALE_FAULTS, 1);
    setenv("PERCALE_FAULT", (fault + ":run.ckpt").c_str(), 1);
  }
  execl("/proc/self/exe", "test_nn", "--gtest_filter=CheckpointWriter.WritesOnAndOn", "--gtest_brief=1", nullptr);
  _exit(127);
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST_F(CheckpointFile, IsWholeAfterAKillAtAnyMoment) {
  int64_t last = 0;
  std::chrono::steady_clock::duration start{};  // how long a writer takes here until its second file stands
  for (int i = 0; i < 20; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const pid_t child = start_writer(path_, "");
    // The first one is given the time to write twice; the others die in their loading, writing, syncing.
    while (i == 0 && (!fs::exists(path_) || number_of(load_checkpoint(path_)) < 2) &&
           waitpid(child, nullptr, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (i == 0) start = std::chrono::steady_clock::now() - begin;
    std::this_thread::sleep_for(start + std::chrono::microseconds(7'919 * i % 60'000));
    kill(child, SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(wait_for(child)));
    const int64_t number = number_of(load_checkpoint(path_));
    EXPECT_GE(number, last);
    last = number;
    EXPECT_LE(files().size(), 2u) << "temporaries of the killed do not pile up";
  }
  EXPECT_GT(last, 1);
}

TEST_F(CheckpointFile, IsWholeAfterAKillInsideEachCall) {
  // Of a checkpoint's own calls: three writes and more, one fsync of the file and one of its folder, one rename.
  save_checkpoint(path_, numbered(1, 200'000));
  int64_t last = 1;
  for (const char* fault :
       {"kill:write:1", "kill:write:2", "kill:write:4", "kill_after:write:5", "kill:fsync:1", "kill_after:fsync:1",
        "kill:rename:1", "kill_after:rename:1", "kill:write:9", "kill:fsync:2", "kill:rename:2"}) {
    const int status = wait_for(start_writer(path_, fault));
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << fault << ": the fault was not met, status " << status;
    const int64_t number = number_of(load_checkpoint(path_));
    EXPECT_GE(number, last) << fault;
    EXPECT_LE(number, last + 1) << fault;
    last = number;
  }
  EXPECT_GE(last, 4) << "a kill after the rename finds the new file, and so does a second round";
}

TEST_F(CheckpointFile, IsWholeWhereTheDiskIsFullAtAnyCall) {
  save_checkpoint(path_, numbered(1, 200'000));
  for (const char* fault : {"full:write:1", "full:write:3", "full:fsync:1", "full:rename:1"}) {
    const int status = wait_for(start_writer(path_, fault));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 9) << fault << ": expected an error, status " << status;
    EXPECT_EQ(number_of(load_checkpoint(path_)), 1) << fault;
    EXPECT_EQ(files(), (std::vector<std::string>{"run.ckpt"})) << fault;
  }
}

}  // namespace
}  // namespace percale::train
