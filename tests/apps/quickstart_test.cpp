// quickstart: the tutorial's first print, and a network that has learnt to read.
#include <gtest/gtest.h>

#include <regex>

#include "run_program.h"

namespace percale {
namespace {

using testing::Ran;
using testing::run_program;

TEST(Quickstart, PrintsWhatTheTutorialPrintsAndReadsADigit) {
  const Ran ran = run_program("quickstart", {"--images", "3200", "--device", "cpu"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::string row = "\\[ ?-?\\d\\.\\d{4}(,\\s+-?\\d\\.\\d{4}){9}\\]";
  EXPECT_TRUE(std::regex_search(
      ran.out, std::regex("^tensor\\(\\[" + row + ",\\s+" + row + "\\], grad_fn=<SliceBackward0>\\)\n")))
      << ran.out;
  EXPECT_NE(ran.out.find("Epoch [2/2], Loss: 0."), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("Training complete!"), std::string::npos);
  // The digit is drawn, and the likeliest class is the one that it is.
  std::smatch match;
  ASSERT_TRUE(std::regex_search(
      ran.out, match,
      std::regex("not seen, a (\\d):\n\n([ .:=+*#%@-]*\n){14}\nWhat it sees:\n\n    (\\d)  #+ +\\d+\\.\\d %")))
      << ran.out;
  EXPECT_EQ(match[1], match[3]);
  EXPECT_EQ(ran.out, run_program("quickstart", {"--images", "3200", "--device", "cpu", "--threads", "1"}).out);
}

}  // namespace
}  // namespace percale
