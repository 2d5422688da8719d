// all-MiniLM-L6-v2 against the numbers of PyTorch: states and vectors of some texts, and the benchmark STS-B.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace percale::models {
namespace {

namespace fs = std::filesystem;
using Sentences = std::vector<std::string>;

/// all-MiniLM-L6-v2 in the folder of data sets.
class MiniLm : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* data = std::getenv("PERCALE_DATA");
    data_ = data ? data : PERCALE_SOURCE_DIR "/../shared/data";
    if (!fs::exists(data_ + "/minilm/model.safetensors"))
      GTEST_SKIP() << "no " << data_ << "/minilm; $PERCALE_DATA names the folder of data sets";
  }

  nlohmann::json read(const std::string& name) const {
    std::ifstream file(data_ + "/minilm/" + name);
    return nlohmann::json::parse(file);
  }
  SentenceEncoder encoder() const { return SentenceEncoder::from_pretrained(data_ + "/minilm"); }

  std::string data_;
};

/// The largest difference of `values` to numbers of the reference.
double distance(const Tensor& values, const nlohmann::json& expected) {
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    worst = std::max(worst, std::abs(values.contiguous().span<float>()[i] - expected[i].get<double>()));
  return worst;
}

TEST_F(MiniLm, EveryElementOfTheReferenceWithinOneHundredThousandth) {
  const NoGradGuard no_grad;
  const SentenceEncoder model = encoder();
  double states = 0, vectors = 0;
  const nlohmann::json reference = read("reference.json");
  EXPECT_EQ(reference["texts"].size(), 8u);
  for (const auto& text : reference["texts"]) {
    const std::string sentence = text["text"];
    const PackedTokens tokens = model.tokenize({sentence});
    const auto ids = tokens.ids.span<int64_t>();
    EXPECT_EQ(std::vector<int64_t>(ids.begin(), ids.end()), text["ids"].get<std::vector<int64_t>>());
    const BertResult result = model.bert(tokens);
    const Tensor first = result.last_hidden_state[0], last = result.last_hidden_state[-1];
    states = std::max(
        {states, distance(first, text["hidden_row0_first8"]), distance(first.slice(0, -8), text["hidden_row0_last8"]),
         distance(last, text["hidden_last_row_first8"]), distance(last.slice(0, -8), text["hidden_last_row_last8"]),
         distance(result.pooler_output[0], text["pooler_output_first8"])});
    vectors = std::max(vectors, distance(model.encode(sentence), text["embedding"]));
  }
  EXPECT_LE(states, 1e-5);
  EXPECT_LE(vectors, 1e-5);
  std::printf("states within %.1e, embeddings within %.1e\n", states, vectors);
}

class StsB : public MiniLm {
 protected:
  double spearman() const {
    Sentences first, second;
    std::vector<double> scores, cosines;
    const std::string rows = "sentence1,sentence2,score\n" + io::read_file(data_ + "/stsb/test.csv");
    const io::Source source(rows, "stsb/test.csv");
    for (data::Csv csv(source); csv.next();) {
      first.emplace_back(csv.field(0)), second.emplace_back(csv.field(1));
      scores.push_back(std::stod(std::string(csv.field(2))));
    }
    const SentenceEncoder model = encoder();
    const Tensor similarities = SentenceEncoder::pairwise_similarity(model.encode(first), model.encode(second));
    for (const float cosine : similarities.span<float>()) cosines.push_back(cosine);
    EXPECT_EQ(cosines.size(), 1'379u);
    return language::spearman(cosines, scores);
  }
};

TEST_F(StsB, SpearmanIsPyTorchs) { EXPECT_NEAR(spearman(), 0.820325, 0.0002); }

TEST_F(StsB, SpearmanInEightBits) {
  if (!reason_without(Precision::int8, cpu_device).empty()) GTEST_SKIP() << reason_without(Precision::int8, cpu_device);
  const PrecisionGuard int8(Precision::int8, cpu_device);
  EXPECT_GE(spearman(), 0.815);
}

TEST_F(StsB, SpearmanInBf16) {
  if (!reason_without(Precision::bf16, cpu_device).empty()) GTEST_SKIP() << reason_without(Precision::bf16, cpu_device);
  const PrecisionGuard bf16(Precision::bf16, cpu_device);
  EXPECT_GE(spearman(), 0.819);
}

}  // namespace
}  // namespace percale::models
