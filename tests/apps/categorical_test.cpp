// categorical as its user sees it: the tutorial's blocks byte for byte, codes, training, dictionaries, and what is
// refused.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "../../core/io/file.h"
#include "../../core/io/npy.h"
#include "../../core/io/safetensors.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/reduction/reduction.h"
#include "run_program.h"

namespace percale {
namespace {

using testing::Folder;
using testing::last_line;
using testing::Ran;
using testing::run_program;
using testing::RunOptions;
using testing::with;
using testing::Words;

/// A table whose classes follow from animal and size, whose price follows from both, with gaps in every input.
std::string animals(int rows) {
  constexpr const char* names[] = {"cat", "dog", "bird", "fish, gold", "owl"};
  std::string bytes = "animal,size,year,old,kind,price\n";
  uint32_t state = 7;
  const auto draw = [&](uint32_t below) { return (state = state * 1664525 + 1013904223) / 65536 % below; };
  for (int row = 0; row < rows; ++row) {
    const uint32_t animal = draw(5), size = draw(90);
    const bool small = animal == 2 || animal == 4 || (animal == 3 && size > 45);
    if (draw(20)) bytes.append("\"").append(names[animal]).append("\"");
    bytes += ",";
    bytes += (draw(20) ? std::to_string(size) + "." + std::to_string(draw(10)) : "NA") + ",";
    bytes += std::to_string(2001 + draw(3)) + (draw(2) ? ",True," : ",False,");
    bytes += std::string(small ? "flies" : "walks") + "," + std::to_string(10 * animal + size / 2) + ".5\n";
  }
  return bytes;
}

struct Categorical : ::testing::Test {
  Folder folder;

  void SetUp() override { io::write_file(folder / "animals.csv", animals(600)); }

  Ran run(const Words& more, const RunOptions& options = {}) {
    return run_program("categorical", with({"--data", folder / "animals.csv", "--device", "cpu"}, more), options);
  }

  void expect_refused(const Words& words, int code, const std::string& says) {
    testing::expect_refused(run_program("categorical", words), code, says);
  }
};

constexpr const char* tutorial_blocks = R"(  category  category_index
0      cat               1
1      dog               2
2     bird               0
3      cat               1
4     bird               0
5      dog               2

tensor([[0, 1, 0],
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 1]])

)";

TEST_F(Categorical, PrintsTheTutorialsBlocks) {
  const Ran ran = run_program("categorical", {"--device", "cpu", "--picture", folder / "one_hot.png"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.error, "");
  EXPECT_EQ(ran.out.find(tutorial_blocks), 0u) << ran.out;
  const std::regex rest(
      "tensor\\(\\[(\\[ ?-?\\d\\.\\d{4}\\],?\n? *){6}\\], grad_fn=<AddmmBackward0>\\)\n\n"
      "tensor\\(\\[(\\[( ?-?\\d\\.\\d{4},? ?){4}\\],?\n? *){6}\\], grad_fn=<EmbeddingBackward0>\\)\n");
  EXPECT_TRUE(std::regex_match(ran.out.substr(std::string(tutorial_blocks).size()), rest)) << ran.out;
  EXPECT_EQ(io::read_file(folder / "one_hot.png").substr(0, 4), "\x89PNG");
  EXPECT_EQ(run_program("categorical", {"--device", "cpu"}).out, ran.out);
  EXPECT_NE(run_program("categorical", {"--device", "cpu", "--seed", "1"}).out, ran.out);
}

/// A long column as pandas shows it (made with pandas 3.1 from the same rows).
TEST_F(Categorical, PrintsAColumnAsPandasDoes) {
  std::string bytes = "deck\n";
  for (int row = 0; row < 70; ++row) bytes += row % 3 == 0 ? "\"\"\n" : row % 3 == 1 ? "C\n" : "B\n";
  io::write_file(folder / "deck.csv", bytes);
  const Ran ran = run_program("categorical", {"--data", folder / "deck.csv", "--columns", "deck"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.out.find("   deck  deck_index\n"
                         "0   NaN          -1\n"
                         "1     C           1\n"
                         "2     B           0\n"
                         "3   NaN          -1\n"
                         "4     C           1\n"
                         "..  ...         ...\n"
                         "65    B           0\n"
                         "66  NaN          -1\n"
                         "67    C           1\n"
                         "68    B           0\n"
                         "69  NaN          -1\n"
                         "\n"
                         "[70 rows x 2 columns]\n"
                         "\n"
                         "tensor([[0, 0],\n"
                         "        [0, 1],\n"
                         "        [1, 0],\n"),
            0u)
      << ran.out;
}

TEST_F(Categorical, WritesCodes) {
  io::write_file(folder / "c.csv", "a,n,\"b,c\"\nx,3,no\n,10,yes\nw,3,\n");
  const auto codes = [&](const Words& more) {
    const Ran ran =
        run_program("categorical", with({"--data", folder / "c.csv", "--codes", folder / "codes.csv"}, more));
    EXPECT_EQ(ran.code, 0) << ran.error;
    return io::read_file(folder / "codes.csv");
  };
  EXPECT_EQ(codes({}), "a,\"b,c\"\n1,0\n-1,1\n0,-1\n");
  EXPECT_EQ(codes({"--columns", "n,\"b,c\""}), "n,\"b,c\"\n0,0\n1,1\n0,-1\n");
  EXPECT_EQ(codes({"--categories", "n"}), "a,n,\"b,c\"\n1,0,0\n-1,1,1\n0,0,-1\n");
}

/// The line of each name ends in the one whose vector has the largest cosine with its own, and that cosine.
void expect_nearest(const std::string& out, const Tensor& vectors, const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    double best = -2;
    std::string expected;
    for (size_t j = 0; j < names.size(); ++j) {
      const Tensor a = vectors[static_cast<int64_t>(i)].to(f64), b = vectors[static_cast<int64_t>(j)].to(f64);
      const double cosine =
          sum(mul(a, b)).item<double>() / std::sqrt(sum(mul(a, a)).item<double>() * sum(mul(b, b)).item<double>());
      if (i == j || cosine <= best) continue;
      best = cosine;
      char number[16];
      std::snprintf(number, sizeof number, " %.2f,", cosine);
      expected = "   " + names[j] + number;
    }
    const size_t line = out.find("\n" + names[i] + " ", out.find("its nearest by cosine")) + 1;
    EXPECT_NE(out.substr(line, out.find('\n', line) - line).find(expected), std::string::npos)
        << names[i] << ": " << expected << "\n"
        << out;
  }
}

TEST_F(Categorical, LearnsAClass) {
  const Ran ran = run({"--target", "kind", "--columns", "animal,size", "--hidden", "16", "--metrics", folder / "m",
                       "--picture", folder / "p.png", "--embeddings", folder / "e.npy", "--nearest", "animal"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::regex lines(
      "column +is +categories +missing\n(animal +category +5 +\\d+\n)(size +number +\\d+\n)\n"
      "(Epoch \\[\\d+/10\\], Loss: \\d\\.\\d{4}\n){10}Training complete!\n"
      "Test accuracy: \\d+\\.\\d\\d % \\(\\d+ of 120\\); always flies: \\d+\\.\\d\\d %\n"
      "Data: [^\n]*animals.csv, 480 rows to learn from and 120 held out; [0-9,]+ rows/s\n"
      "\nanimal as 3 numbers, and its nearest by cosine\n(.*\n){5}");
  EXPECT_TRUE(std::regex_match(ran.out, lines)) << ran.out;
  const auto last = last_line(folder / "m");
  EXPECT_EQ(last["final"], true);
  EXPECT_GT(last["test_accuracy"].get<double>(), last["baseline"].get<double>() + 0.2);
  EXPECT_NE(last["data"].get<std::string>().find("animals.csv"), std::string::npos);
  EXPECT_EQ(io::read_file(folder / "p.png").substr(0, 4), "\x89PNG");
  const Tensor learnt = io::load_npy(folder / "e.npy");
  EXPECT_EQ(learnt.shape(), Shape({6, 3}));
  expect_nearest(ran.out, learnt, {"bird", "cat", "dog", "fish, gold", "owl"});
  EXPECT_EQ(io::read_file(folder / "e.names.tsv"), "bird\ncat\ndog\nfish, gold\nowl\n(missing or unseen)\n");
  const std::string tsv = io::read_file(folder / "e.tsv");
  EXPECT_EQ(std::count(tsv.begin(), tsv.end(), '\n'), 6);
  EXPECT_EQ(std::count(tsv.begin(), tsv.end(), '\t'), 12);
}

TEST_F(Categorical, LearnsANumber) {
  const Ran ran = run({"--target", "price", "--columns", "animal,size,old", "--metrics", folder / "m", "--embeddings",
                       folder / "e.npy", "--dim", "2"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto last = last_line(folder / "m");
  EXPECT_LT(last["test_rmse"].get<double>(), last["baseline"].get<double>() * 0.6);
  EXPECT_TRUE(std::regex_search(ran.out, std::regex("Test RMSE: [0-9.]+; always the mean: [0-9.]+\n"))) << ran.out;
  EXPECT_EQ(io::load_npy(folder / "e.animal.npy").shape(), Shape({6, 2}));
  EXPECT_EQ(io::load_npy(folder / "e.old.npy").shape(), Shape({3, 2}));
}

TEST_F(Categorical, ShowsTheThreeWaysSideBySide) {
  const Words words = {"--target", "kind", "--columns", "animal", "--metrics", folder / "m"};
  const Ran ran = run(with(words, {"--represent", "one-hot"}));
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::regex table(
      "\na category is +numbers a row +test accuracy\nindex +1 +\\d+\\.\\d\\d %\none-hot +5 +\\d+\\.\\d\\d %\n"
      "embedding +3 +\\d+\\.\\d\\d %\nflies alone +\\d+\\.\\d\\d %\n");
  EXPECT_TRUE(std::regex_search(ran.out, table)) << ran.out;
  const auto last = last_line(folder / "m");
  EXPECT_EQ(last["test_accuracy"], last["one_hot_test_accuracy"]);
  EXPECT_GT(last["embedding_test_accuracy"].get<double>(), last["index_test_accuracy"].get<double>());
  // A way's score is the same whether it is trained for itself or for the comparison.
  ASSERT_EQ(run(words).code, 0);
  EXPECT_EQ(last_line(folder / "m")["test_accuracy"], last["embedding_test_accuracy"]);
}

TEST_F(Categorical, SameSeedSameBytesAtAnyNumberOfThreads) {
  std::string weights[4], metrics[4];
  const Words ways[] = {{"--threads", "2"}, {"--threads", "2"}, {"--threads", "1"}, {"--seed", "1"}};
  for (int i = 0; i < 4; ++i) {
    const Ran ran = run(with({"--target", "kind", "--hidden", "8", "--save", folder / "w"}, ways[i]));
    ASSERT_EQ(ran.code, 0) << ran.error;
    weights[i] = io::read_file(folder / "w");
  }
  EXPECT_EQ(weights[1], weights[0]);
  EXPECT_EQ(weights[2], weights[0]);
  EXPECT_NE(weights[3], weights[0]);
}

TEST_F(Categorical, SavedWeightsBringTheirDictionary) {
  for (const std::string target : {"kind", "price"}) {
    const Words words = {"--target",     target, "--columns", "animal,size,year",
                         "--categories", "year", "--save",    folder / "w"};
    const Ran trained = run(with(words, {"--predict", folder / "animals.csv", "--quiet"}));
    ASSERT_EQ(trained.code, 0) << trained.error;
    const Ran loaded =
        run_program("categorical", {"--load", folder / "w", "--predict", folder / "animals.csv", "--device", "cpu"});
    ASSERT_EQ(loaded.code, 0) << loaded.error;
    EXPECT_EQ(loaded.out.find(target == "kind" ? "kind,probability\n" : "price\n"), 0u) << loaded.out.substr(0, 100);
    EXPECT_EQ(std::count(loaded.out.begin(), loaded.out.end(), '\n'), 601);
    EXPECT_NE(trained.out.find(loaded.out), std::string::npos);

    // Fewer columns in another order, an animal never seen, gaps: rows all the same.
    io::write_file(folder / "new.csv", "year,animal,size\n2002,zebra,3\n1999,,\n2001,\"fish, gold\",70\n");
    const Ran other = run_program("categorical", {"--load", folder / "w", "--predict", folder / "new.csv"});
    ASSERT_EQ(other.code, 0) << other.error;
    EXPECT_EQ(std::count(other.out.begin(), other.out.end(), '\n'), 4) << other.out;

    // Scored alone, the weights do as well.
    const Ran scored = run({"--load", folder / "w", "--epochs", "0", "--quiet"});
    ASSERT_EQ(scored.code, 0) << scored.error;
    EXPECT_EQ(scored.out.substr(0, scored.out.find('\n')), trained.out.substr(0, trained.out.find('\n')));
    expect_refused({"--load", folder / "w", "--predict", folder / "none.csv"}, 1, "none.csv");
    io::write_file(folder / "bad.csv", "animal,size,year\ncat,3,2001\ncat,big,2001\n");
    expect_refused({"--load", folder / "w", "--predict", folder / "bad.csv"}, 1,
                   "bad.csv, line 3, column 2 (size): expected a number, found 'big'");
    io::write_file(folder / "bad.csv", "animal,year\ncat,2001\n");
    expect_refused({"--load", folder / "w", "--predict", folder / "bad.csv"}, 1, "expected a column called size");
  }
  io::save_safetensors(folder / "w", {});
  expect_refused({"--load", folder / "w", "--predict", folder / "new.csv"}, 1, "without a dictionary");
}

TEST_F(Categorical, GoesOnWhereItWasInterrupted) {
  const Words words = {"--target",
                       "kind",
                       "--hidden",
                       "8",
                       "--epochs",
                       "100",
                       "--save",
                       folder / "w",
                       "--checkpoint",
                       folder / "checkpoint",
                       "--checkpoint-every",
                       "150",
                       "--metrics",
                       folder / "m"};
  ASSERT_EQ(run(words).code, 0);
  const std::string expected = io::read_file(folder / "w");
  for (const char* file : {"w", "checkpoint", "m"}) std::filesystem::remove(folder / file);
  EXPECT_EQ(
      run(words, {.environment = {{"LD_PRELOAD", PERCALE_FAULTS}, {"PERCALE_FAULT", "interrupt:rename:1:checkpoint"}}})
          .code,
      130);
  ASSERT_FALSE(std::filesystem::exists(folder / "w"));
  const Ran resumed = run(with(words, {"--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.error;
  EXPECT_NE(resumed.error.find("resuming at step"), std::string::npos) << resumed.error;
  EXPECT_EQ(io::read_file(folder / "w"), expected);
  std::istringstream lines(io::read_file(folder / "m"));
  int count = 0;
  for (std::string line; std::getline(lines, line);) ++count;
  EXPECT_EQ(count, 101);
  // Of other flags, the checkpoint is refused.
  EXPECT_EQ(run({"--target", "kind", "--checkpoint", folder / "checkpoint", "--resume"}).code, 1);
}

TEST_F(Categorical, RefusesWhatMakesNoSense) {
  const std::string data = folder / "animals.csv";
  expect_refused({"--target", "kind"}, 2, "--target needs --data FILE.csv");
  expect_refused({"--codes", folder / "c"}, 2, "--codes needs --data FILE.csv");
  expect_refused({"--data", data, "--predict", data}, 2, "--predict needs --target COLUMN");
  expect_refused({"--data", data, "--save", folder / "w"}, 2, "--save needs --target COLUMN");
  expect_refused({"--data", data, "--target", "kind", "--represent", "onehot"}, 2,
                 "is not one of index, one-hot, embedding");
  expect_refused({"--data", data, "--target", "kind", "--epochs", "0"}, 2, "--epochs 0");
  expect_refused({"--data", data, "--target", "kin"}, 1, "expected a column called kin");
  expect_refused({"--data", data, "--target", "kind", "--columns", "animal,kind"}, 1, "cannot be an input too");
  expect_refused({"--data", folder / "none.csv"}, 1, "none.csv");
  expect_refused({"--data", data, "--target", "kind", "--nearest", "animals"}, 1, "did you mean animal?");
  expect_refused({"--data", data, "--target", "kind", "--represent", "index", "--nearest", "animal"}, 2,
                 "--nearest needs --represent embedding");
  io::write_file(folder / "one.csv", "a,b,c\n1,x,\n2,x,\n3,x,\n4,x,\n5,x,\n");
  expect_refused({"--data", folder / "one.csv", "--target", "b"}, 1, "expected a target that varies");
  expect_refused({"--data", folder / "one.csv", "--target", "c"}, 1, "missing in every row");
  io::write_file(folder / "few.csv", "a,b\n1,x\n2,y\n3,\n4,\n5,\n");
  expect_refused({"--data", folder / "few.csv", "--target", "b"}, 1, "at least 5 rows");
  io::write_file(folder / "open.csv", "a,b\n1,\"x\n2,y\n");
  expect_refused({"--data", folder / "open.csv", "--target", "b"}, 1,
                 "open.csv, line 2, column 2 (b): expected a closing quote");
}

TEST_F(Categorical, DrawsWhatThereIs) {
  for (const std::string way : {"index", "one-hot", "embedding"}) {
    const std::string path = folder / (way + ".png");
    const Ran ran =
        run({"--target", "kind", "--columns", "old", "--epochs", "1", "--represent", way, "--picture", path});
    ASSERT_EQ(ran.code, 0) << ran.error;  // two categories make no map
    EXPECT_EQ(io::read_file(path).substr(0, 4), "\x89PNG");
  }
}

TEST_F(Categorical, LeavesOutRowsWithoutATarget) {
  const Ran ran = run({"--target", "size", "--columns", "animal,price"});
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(std::regex_search(ran.error, std::regex("\\d+ rows without size are left out"))) << ran.error;
}

/// The bounds that hold on the census: the mean of five splits. Logistic regression reaches 0.831 and 0.850.
class Adult : public ::testing::TestWithParam<std::pair<Words, double>> {};

TEST_P(Adult, IsLearntAsWellAsByLogisticRegression) {
  const char* folder = std::getenv("PERCALE_DATA");
  const std::string data = std::string(folder ? folder : PERCALE_SOURCE_DIR "/../shared/data") + "/csv/adult.csv";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no " << data << "; $PERCALE_DATA names the folder of data sets";
  double sum = 0;
  for (const char* seed : {"0", "1", "2", "3", "4"}) {
    const Ran ran = run_program(
        "categorical",
        with({"--data", data, "--target", "income", "--quiet", "--device", "cpu", "--seed", seed}, GetParam().first));
    ASSERT_EQ(ran.code, 0) << ran.error;
    std::smatch found;
    ASSERT_TRUE(std::regex_search(ran.out, found, std::regex("\\((\\d+) of 6512\\)"))) << ran.out;
    sum += std::stod(found[1]) / 6512;
  }
  EXPECT_GE(sum / 5, GetParam().second);
}

const Words eight = {"--columns", "workclass,education,marital.status,occupation,relationship,race,sex,native.country"};
INSTANTIATE_TEST_SUITE_P(Bounds, Adult,
                         ::testing::Values(std::pair(eight, 0.829), std::pair(Words{}, 0.848),
                                           std::pair(Words{"--hidden", "64"}, 0.855)));

}  // namespace
}  // namespace percale
