// The model of the next word: probabilities that sum to one, the perplexity by its definition, and that it learns.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>

#include "../testing/message_of.h"

namespace percale::models {
namespace {

using language::Vocabulary;
using percale::testing::message_of;

const std::string sentence = "the cat sat on the mat\nthe dog lay on the rug\n";

struct Text {
  std::string bytes;
  Vocabulary vocabulary;
  Tensor numbers;

  explicit Text(int repetitions, uint64_t min_count = 1) {
    for (int i = 0; i < repetitions; ++i) bytes += sentence;
    bytes += "once unseen\n";
    const io::Source source(bytes, "a text");
    vocabulary = Vocabulary(language::count_words(source, {.min_count = min_count}));
    numbers = language::encode_lines(source, vocabulary);
  }
};

TEST(NextWord, EncodesOtherWordsAndEndsOfLines) {
  const io::Source source("b a b\n\nzz b", "a text");
  const Vocabulary vocabulary(language::count_words(source, {.min_count = 2}));
  const Tensor numbers = language::encode_lines(source, vocabulary);  // one word, 0; others are 1, ends of lines 2
  const std::vector<int32_t> wanted = {0, 1, 0, 2, 2, 1, 0};
  ASSERT_EQ(numbers.shape(), Shape{7});
  EXPECT_EQ(std::vector<int32_t>(numbers.data<int32_t>(), numbers.data<int32_t>() + 7), wanted);
}

TEST(NextWord, ProbabilitiesSumToOneAndPerplexityIsTheirMean) {
  const Text text(3);
  manual_seed(2);
  const NextWord model(text.vocabulary, {.width = 7, .context = 3, .hidden = 9, .samples = 4});
  EXPECT_EQ(model.entries(), text.vocabulary.size() + 1);
  model.eval();
  const NoGradGuard no_grad;
  const Tensor padded = model.padded(text.numbers);
  const int64_t count = text.numbers.size(0);
  double total = 0;
  for (int64_t p = 0; p < count; ++p) {
    const Tensor share = softmax(model(padded.slice(0, p, p + 3).unsqueeze(0)), 1);
    EXPECT_NEAR(sum(share).item<double>(), 1, 1e-5);
    total -= std::log(share[0][text.numbers.data<int32_t>()[p]].item<double>());
  }
  EXPECT_NEAR(model.perplexity(padded), std::exp(total / static_cast<double>(count)), 1e-3);
  model.train();
  model.perplexity(padded);
  EXPECT_TRUE(model.training());
}

/// Both ways to the softmax: by 6 samples, and whole.
TEST(NextWord, LearnsATextByHeart) {
  const Text text(20);
  for (const int64_t samples : {6, 1024}) {
    manual_seed(3);
    const NextWord model(text.vocabulary, {.width = 16, .context = 4, .hidden = 32, .samples = samples, .dropout = 0});
    const Tensor padded = model.padded(text.numbers), all = arange(text.numbers.size(0));
    EXPECT_GT(model.perplexity(padded), 8);
    optim::Adam optimizer(model.parameters(), {.lr = 0.01});
    for (int step = 0; step < 150; ++step) {
      optimizer.zero_grad();
      model.loss(padded, all).backward();
      optimizer.step();
    }
    EXPECT_LT(model.perplexity(padded), 1.25) << samples;  // cat or dog, twice in a dozen words: 2^(1/14) at best
    model.eval();
    const auto next = model.next("the cat sat on the", 3);
    ASSERT_EQ(next.size(), 3u);
    EXPECT_EQ(next[0].first, "mat");
    EXPECT_GT(next[0].second, 0.9);
    EXPECT_EQ(model.next("on the rug", 1)[0].first, "<eos>");
    EXPECT_EQ(model.vectors().size(), text.vocabulary.others());
  }
}

TEST(NextWord, MistakesAreOneClearLine) {
  const Text text(1);
  const auto says = [&](const NextWordOptions& options) {
    return message_of([&] { NextWord(text.vocabulary, options); });
  };
  EXPECT_NE(says({.context = 0}).find("must be 1 or more, got 128, 0, 256 and 1024"), std::string::npos);
  const NextWord model(text.vocabulary, {.width = 4, .context = 2, .hidden = 4});
  EXPECT_NE(message_of([&] {
              model(zeros({2, 3}, {i32, cpu_device}));
            }).find("expected [rows, 2] words, got [2, 3]"),
            std::string::npos);
  EXPECT_NE(message_of([&] { model.padded(zeros({2})); }).find("a text must be [count] of i32"), std::string::npos);
  EXPECT_NE(message_of([&] {
              model.perplexity(model.padded(zeros({0}, {i32, cpu_device})));
            }).find("there is no word to predict"),
            std::string::npos);
}

}  // namespace
}  // namespace percale::models
