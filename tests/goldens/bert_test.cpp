// A BERT of two layers, its states and the gradient of every parameter, against Hugging Face's BertModel in f64
// (bert.py).
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "given.h"

namespace percale {
namespace {

constexpr int64_t rows = 4, length = 7;
// Whole, padded behind, one token alone, and padded in front and within.
constexpr int64_t mask_bits[rows][length] = {
    {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 0, 0, 0}, {1, 0, 0, 0, 0, 0, 0}, {0, 0, 1, 1, 0, 1, 1}};

Tensor integers(const std::function<int64_t(int64_t)>& value) {
  const Tensor result = Tensor::empty({rows, length}, {i64, cpu_device});
  for (int64_t i = 0; i < rows * length; ++i) result.data<int64_t>()[i] = value(i);
  return result;
}

Tensor given(uint64_t stream, const Shape& shape, double scale, double middle = 0) {
  const Tensor result = Tensor::empty(shape);
  const auto values = result.span<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(middle) + static_cast<float>(goldens::uniform(stream, i) * scale);
  return result;
}

void give_weights(const models::Bert& model) {
  nn::StateDict state = model.state_dict();
  std::sort(state.begin(), state.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < state.size(); ++i) {
    auto& [name, tensor] = state[i];
    const bool is_norm = name.find("LayerNorm.weight") != std::string::npos;
    tensor = given(100 + i, tensor.shape(), tensor.rank() == 1 ? .25 : .5, is_norm ? 1 : 0);
  }
  model.load_state_dict(state);
}

class BertGolden : public ::testing::Test {
 protected:
  BertGolden() {
    std::ifstream file(PERCALE_SOURCE_DIR "/tests/goldens/bert.json");
    golden_ = nlohmann::json::parse(file);
  }

  models::Bert model(const char* activation) const {
    const auto& config = golden_["config"];
    models::Bert bert({.vocab_size = config["vocab_size"],
                       .hidden_size = config["hidden_size"],
                       .num_hidden_layers = config["num_hidden_layers"],
                       .num_attention_heads = config["num_attention_heads"],
                       .intermediate_size = config["intermediate_size"],
                       .hidden_act = activation,
                       .max_position_embeddings = config["max_position_embeddings"]});
    give_weights(bert);
    return bert;
  }

  /// |a - b| / |b| over all elements.
  static double distance(const Tensor& a, const nlohmann::json& b) {
    const Tensor values = a.detach().to(cpu_device).to(f64).contiguous();
    EXPECT_EQ(values.numel(), static_cast<int64_t>(b.size()));
    double squares = 0, norm = 0;
    for (size_t i = 0; i < b.size(); ++i) {
      const double expected = b[i], gap = values.span<double>()[i] - expected;
      squares += gap * gap, norm += expected * expected;
    }
    return std::sqrt(squares / norm);
  }

  const Tensor ids_ = integers([](int64_t i) { return static_cast<int64_t>(goldens::bits(10, i) >> 33) % 60 + 1; });
  const Tensor types_ = integers([](int64_t i) { return static_cast<int64_t>(goldens::bits(11, i) >> 33) % 2; });
  const Tensor mask_ = integers([](int64_t i) { return mask_bits[i / length][i % length]; });
  nlohmann::json golden_;
};

// PyTorch's own f32 is 4e-7 off in the states and 1.3e-6 in a gradient.
constexpr double states_within = 2e-6, gradients_within = 1e-5;

TEST_F(BertGolden, StatesAndGradientsAreThoseOfBertModel) {
  const models::Bert bert = model("gelu");
  const auto result = bert(ids_, mask_, types_, models::BertForwardOptions{.hidden_states = true, .attentions = true});
  const auto& expected = golden_["gelu"]["results"];
  EXPECT_LE(distance(result.last_hidden_state, expected["last_hidden_state"]), states_within);
  EXPECT_LE(distance(result.pooler_output.slice(0, 0, 3), expected["pooler_output"]), states_within);
  ASSERT_EQ(result.hidden_states.size(), 3u);
  EXPECT_LE(distance(result.hidden_states[1], expected["first_hidden_state"]), states_within);
  ASSERT_EQ(result.attentions.size(), 2u);
  EXPECT_EQ(result.attentions[1].shape(), (Shape{rows, 3, length, length}));
  EXPECT_LE(distance(result.attentions[1], expected["attention"]), states_within);
}

TEST_F(BertGolden, EveryGradientIsThatOfBertModel) {
  const models::Bert bert = model("gelu");
  const auto result = bert(ids_, mask_, types_);
  const Tensor& states = result.last_hidden_state;
  const Tensor loss = sum(states * given(20, states.shape(), 1)) +
                      sum((result.pooler_output * given(21, result.pooler_output.shape(), 1)).slice(0, 0, 3));
  loss.backward();
  const auto& expected = golden_["gelu"]["gradients"];
  double worst = 0;
  for (const auto& [name, parameter] : bert.named_parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    auto reference = expected[name];
    // A key's bias moves all of a row's scores alike: its gradient is 0 but for rounding. Held to the query's.
    if (const size_t at = name.find("key.bias"); at != std::string::npos)
      reference["norm"] = expected[std::string(name).replace(at, 3, "query")]["norm"];
    const double found = goldens::difference(parameter.grad(), reference);
    EXPECT_LE(found, gradients_within) << name;
    worst = std::max(worst, found);
  }
  EXPECT_EQ(expected.size(), bert.named_parameters().size());
  std::printf("gradients: within %.1e\n", worst);
}

TEST_F(BertGolden, GeluByTanh) {
  const auto result = model("gelu_new")(ids_, mask_, types_);
  EXPECT_LE(distance(result.last_hidden_state, golden_["gelu_new"]["results"]["last_hidden_state"]), states_within);
}

}  // namespace
}  // namespace percale
