// The command line of every program: help, versions, mistakes and what is said of them.
#include <gtest/gtest.h>

#include "../../core/device.h"
#include "run_program.h"

namespace percale {
namespace {

using testing::Ran;
using testing::run_program;

const char* const programs[] = {"quickstart", "mnist_cnn",     "autoencoder",  "bert_embed",      "categorical",
                                "embed_look", "percale_bench", "word_vectors", "humor_classifier"};

/// Refused at once, in a line that names the program.
void expect_refused(const std::string& program, const testing::Words& arguments, int code, const std::string& says) {
  const Ran ran = run_program(program, arguments);
  testing::expect_refused(ran, code, says);
  EXPECT_EQ(ran.error.find(program + ": "), 0u) << ran.error;
  EXPECT_LT(ran.processor_seconds, 1);
}

TEST(Usage, HelpNamesEveryFlagAndGivesAnExample) {
  for (const std::string program : programs) {
    const Ran ran = run_program(program, {"--help"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.error, "");
    for (const char* flag : {"--device auto|cpu|cuda", "--precision fp32|tf32|bf16", "--seed N", "--threads N",
                             "--quiet", "--trace FILE", "--profile-table", "--info", "--version", "--help"})
      EXPECT_NE(ran.out.find(flag), std::string::npos) << program << " " << flag;
    EXPECT_NE(ran.out.find("example:\n  " + program), std::string::npos) << ran.out;
    EXPECT_EQ(run_program(program, {"-h"}).out, ran.out);
  }
  const std::string help = run_program("mnist_cnn", {"--help"}).out;
  for (const char* flag : {"--data DIR|generated", "--epochs N", "--batch N", "--lr X", "--embeddings FILE",
                           "--save FILE", "--load FILE", "--checkpoint FILE", "--checkpoint-every N", "--resume",
                           "--metrics FILE", "--picture FILE", "--graph on|off", "--profile FIRST:LAST"})
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
}

TEST(Usage, UnknownFlagsAreToldWhatWasMeant) {
  expect_refused("mnist_cnn", {"--epcohs", "3"}, 2, "unknown flag --epcohs; did you mean --epochs?");
  expect_refused("mnist_cnn", {"--epcohs=3"}, 2, "did you mean --epochs?");
  expect_refused("mnist_cnn", {"--batch-size", "3"}, 2, "did you mean --batch?");
  expect_refused("mnist_cnn", {"--chekpoint", "a"}, 2, "did you mean --checkpoint?");
  expect_refused("mnist_cnn", {"--xyzzy"}, 2, "unknown flag --xyzzy (see mnist_cnn --help)");
  expect_refused("quickstart", {"word"}, 2, "unexpected argument 'word'");
  expect_refused("percale_bench", {"--jsn"}, 2, "did you mean --json?");
  expect_refused("percale_bench", {"cnn.b46"}, 2, "there is no case cnn.b46; did you mean cnn.b64?");
}

TEST(Usage, WrongValuesAreToldWhatIsRight) {
  expect_refused("mnist_cnn", {"--device", "gpu"}, 2, "'gpu' is not one of auto, cpu, cuda; did you mean cuda?");
  expect_refused("mnist_cnn", {"--precision", "bfloat16"}, 2, "did you mean bf16?");
  expect_refused("mnist_cnn", {"--graph", "yes"}, 2, "did you mean on?");
  expect_refused("mnist_cnn", {"--epochs", "five"}, 2, "--epochs: expected a whole number, got 'five'");
  expect_refused("mnist_cnn", {"--epochs", "-1"}, 2, "--epochs: must be at least 0, got -1");
  expect_refused("mnist_cnn", {"--batch", "0"}, 2, "--batch: must be at least 1");
  expect_refused("mnist_cnn", {"--lr", "0.x"}, 2, "--lr: expected a number, got '0.x'");
  expect_refused("mnist_cnn", {"--lr", "nan"}, 2, "--lr");
  expect_refused("mnist_cnn", {"--seed", "99999999999999999999"}, 2, "--seed");
  expect_refused("mnist_cnn", {"--seed"}, 2, "--seed needs a value");
  expect_refused("mnist_cnn", {"--profile", "5"}, 2, "FIRST:LAST");
  expect_refused("mnist_cnn", {"--profile", "9:3"}, 2, "--profile");
  expect_refused("mnist_cnn", {"--resume"}, 2, "--resume needs --checkpoint FILE");
  expect_refused("mnist_cnn", {"--checkpoint-every", "5"}, 2, "--checkpoint-every needs --checkpoint FILE");
  expect_refused("mnist_cnn", {"--epochs", "0"}, 2, "--epochs 0");
}

TEST(Usage, WhatTheEnvironmentLacksIsSaid) {
  expect_refused("mnist_cnn", {"--save", "/nowhere/at/all.safetensors"}, 1, "there is no folder /nowhere/at");
  expect_refused("mnist_cnn", {"--embeddings", "/tmp"}, 1, "/tmp: is a folder");
  expect_refused("mnist_cnn", {"--load", "/nowhere.safetensors"}, 1, "/nowhere.safetensors");
  expect_refused("mnist_cnn", {"--data", "/nowhere"}, 1, "/nowhere");
  expect_refused("percale_bench", {"--compare", "/nowhere.jsonl"}, 1, "/nowhere.jsonl");
}

TEST(Usage, CudaWithoutADeviceIsAnErrorThatSaysWhy) {
  if (cuda_available()) GTEST_SKIP() << "this machine has a CUDA device";
  expect_refused("mnist_cnn", {"--device", "cuda"}, 1, "--device cpu computes without");
}

TEST(Usage, InfoTellsOfTheMachine) {
  const Ran ran = run_program("mnist_cnn", {"--info"});
  EXPECT_EQ(ran.code, 0);
  for (const char* word : {"percale", "processor", "instruction sets", "threads", "memory", "oneDNN", "GPU"})
    EXPECT_NE(ran.out.find(word), std::string::npos) << word;
}

/// Of processor time, start to exit; the least of several.
TEST(Usage, VersionIsTheWorkOfAMoment) {
  double seconds = 1e9, megabytes = 0;
  for (int i = 0; i < 10; ++i) {
    const Ran ran = run_program("mnist_cnn", {"--version"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out.find("mnist_cnn " PERCALE_VERSION), 0u) << ran.out;
    seconds = std::min(seconds, ran.processor_seconds);
    megabytes = std::max(megabytes, ran.megabytes);
  }
  EXPECT_LE(seconds, 0.030);
  // A child's peak begins with the memory of the process that it was forked from: ours.
  if (const double own = testing::own_megabytes(); own < 35) {
    EXPECT_LE(megabytes, 40);
  }
}

/// mnist_cnn and every library that it loads, libc and NVIDIA's apart.
TEST(Usage, ProgramsAreSmall) {
  double own = 0, all = 0;
  const std::string program = PERCALE_BINARY_DIR "/apps/mnist_cnn";
  FILE* list = popen(("ldd " + program).c_str(), "r");
  ASSERT_NE(list, nullptr);
  char line[1024], path[512];
  while (std::fgets(line, sizeof line, list)) {
    const std::string text = line;
    if (std::sscanf(line, "%*s => %511s", path) != 1) continue;
    const bool libc = text.find("libc.so") != std::string::npos || text.find("libm.so") != std::string::npos;
    if (!libc && std::filesystem::exists(path)) all += static_cast<double>(std::filesystem::file_size(path));
  }
  EXPECT_EQ(pclose(list), 0);
  own = static_cast<double>(std::filesystem::file_size(program));
  EXPECT_LE(own / 1e6, 15);
  EXPECT_LE((own + all) / 1e6, 60);
}

}  // namespace
}  // namespace percale
