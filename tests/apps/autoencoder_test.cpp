// autoencoder as its user sees it.
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
using testing::last_line;
using testing::Ran;
using testing::run_program;
using testing::small_digits;
using testing::with;
using testing::Words;

Ran train(const Words& more) {
  return run_program("autoencoder", with({"--data", small_digits(), "--device", "cpu"}, more));
}

TEST(Autoencoder, PrintsTheTutorialsLinesAndSaysThatItHasCollapsed) {
  const Folder folder;
  // So large a rate saturates the units at once: every image becomes the mean image.
  const Ran ran = train({"--epochs", "2", "--lr", "0.2", "--metrics", folder / "m.jsonl"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::regex lines(
      "Epoch \\[1/2\\], Loss: \\d\\.\\d{4} \\(mean of the epoch: \\d\\.\\d{4}\\)\n"
      "Epoch \\[2/2\\], Loss: \\d\\.\\d{4} \\(mean of the epoch: \\d\\.\\d{4}\\)\n"
      "Training complete!\n"
      "Test loss: \\d\\.\\d{4} \\(the mean image for all of them: \\d\\.\\d{4}\\)\n"
      "Nearest code shows the same digit: \\d+\\.\\d\\d %\n"
      "Warning: the network has collapsed[^\n]*(units of \\w+\\.\\d|gives every input the same)[^\n]*; [^\n]*sigmoid "
      "cannot reach[^\n]*--target unit[^\n]*\n"
      "[^\n]*images/s[^\n]*\n");
  EXPECT_TRUE(std::regex_match(ran.out, lines)) << ran.out;
  const auto final = last_line(folder / "m.jsonl");
  EXPECT_EQ(final["collapsed"], true);
  EXPECT_GE(final["test_loss"].get<double>(), final["mean_image_loss"].get<double>());
}

TEST(Autoencoder, UnitTargetsAreWithinReachAndAllIsWritten) {
  const Folder folder;
  const Ran ran = train({"--epochs", "3", "--target", "unit", "--metrics", folder / "m.jsonl", "--picture",
                         folder / "p.png", "--embeddings", folder / "e.npy", "--robustness"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_NE(ran.out.find("one pixel left"), std::string::npos);
  EXPECT_NE(ran.out.find("another image"), std::string::npos);
  EXPECT_EQ(io::read_file(folder / "p.png").substr(0, 4), "\x89PNG");
  EXPECT_EQ(io::load_npy(folder / "e.npy").shape(), Shape({300, 6}));
  const auto final = last_line(folder / "m.jsonl");
  EXPECT_LT(final["test_loss"].get<double>(), 0.2);  // the tutorial's targets leave 0.9
  EXPECT_LT(final["mean_image_loss"].get<double>(), 0.1);
  for (const char* key : {"shifted_cosine", "noisy_cosine"}) {
    EXPECT_GT(final[key].get<double>(), 0.5) << key;
    EXPECT_LE(final[key].get<double>(), 1 + 1e-9) << key;
  }
  for (const char* key : {"shifted_accuracy", "noisy_accuracy", "nearest_code_accuracy"})
    EXPECT_GT(final[key].get<double>(), 0.05) << key;
}

TEST(Autoencoder, CosinesOfACollapsedNetAreNoPraise) {
  const Folder folder;
  const Ran ran = train({"--epochs", "1", "--lr", "0.2", "--robustness", "--metrics", folder / "m.jsonl"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_NE(ran.out.find("these cosines say nothing here"), std::string::npos) << ran.out;
  EXPECT_GT(last_line(folder / "m.jsonl")["other_cosine"].get<double>(), 0.99);
}

TEST(Autoencoder, SameSeedSameBytesAndResumedToo) {
  const Folder folder;
  std::string weights[3];
  for (int i = 0; i < 3; ++i) {
    const Words whole = {"--epochs", "2", "--threads", i == 1 ? "1" : "2", "--save", folder / "w"};
    if (i == 2) {
      ASSERT_EQ(train({"--epochs", "1", "--checkpoint", folder / "c"}).code, 0);
      Words rest = whole;
      rest.insert(rest.end(), {"--checkpoint", folder / "c", "--resume"});
      ASSERT_EQ(train(rest).code, 0);
    } else {
      ASSERT_EQ(train(whole).code, 0);
    }
    weights[i] = io::read_file(folder / "w");
  }
  EXPECT_EQ(weights[1], weights[0]);
  EXPECT_EQ(weights[2], weights[0]);
  EXPECT_EQ(io::load_safetensors(folder / "w").find("decoder.6.weight").shape(), Shape({784, 128}));
}

TEST(Autoencoder, RefusesWhatMakesNoSense) {
  EXPECT_EQ(train({"--epochs", "0"}).code, 2);
  const Ran ran = train({"--target", "units"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.error.find("did you mean unit?"), std::string::npos) << ran.error;
}

}  // namespace
}  // namespace percale
