// Word vectors' step: its sampler against the formulas, the same bytes at any number of threads, and both modes
// learning.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>
#include <cstring>

namespace percale {
namespace {

/// Two sorts of sentences, of words 0 to 4 and of words 5 to 9: what stands together is to end up together.
Tensor two_worlds(int64_t sentences) {
  std::vector<int32_t> text;
  uint64_t state = 7;
  for (int64_t i = 0; i < sentences; ++i) {
    for (int k = 0; k < 8; ++k) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text.push_back(static_cast<int32_t>(state >> 33) % 5 + 5 * static_cast<int32_t>(i % 2));
    }
    text.push_back(-1);
  }
  return from_vector(text, {static_cast<int64_t>(text.size())});
}

struct Trained {
  Tensor input, losses;
};

Trained train(const Word2VecStepOptions& options, int steps = 30) {
  manual_seed(3);
  const Tensor text = two_worlds(200), rate = full({1}, 0.02, {f64, cpu_device});
  const Tensor input = (rand({10, 70}) - 0.5) / 70.0, output = zeros({10, 70});
  const WordSampler sampler = word_sampler(full({10}, 160, {i64, cpu_device}), 0);
  Tensor losses;
  for (int i = 0; i < steps; ++i) losses = word2vec(input, output, text, sampler, rate, options);
  return {input, losses};
}

double cosine(const Tensor& rows, int64_t a, int64_t b) {
  const auto dot = [&](int64_t i, int64_t j) { return sum(rows[i] * rows[j]).item<double>(); };
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

TEST(Word2Vec, SamplerDrawsByThePowerOfCounts) {
  const Tensor counts = tensor({1000, 300, 20, 20, 5, 1, 0});
  const WordSampler sampler = word_sampler(counts, 0.01, 0.75);
  std::vector<double> drawn(7), wanted(7);
  double total = 0;
  for (int64_t i = 0; i < 7; ++i) {
    const double accept = sampler.accept.data<float>()[i];
    drawn[static_cast<size_t>(i)] += accept / 7;
    drawn[static_cast<size_t>(sampler.alias.data<int32_t>()[i])] += (1 - accept) / 7;
    wanted[static_cast<size_t>(i)] = std::pow(static_cast<double>(counts.data<int64_t>()[i]), 0.75);
    total += wanted[static_cast<size_t>(i)];
  }
  for (size_t i = 0; i < 7; ++i) EXPECT_NEAR(drawn[i], wanted[i] / total, 1e-6) << i;
  const double share = 1000.0 / 1346, keep = (std::sqrt(share / 0.01) + 1) * 0.01 / share;
  EXPECT_NEAR(sampler.keep.data<float>()[0], keep, 1e-6);
  EXPECT_EQ(sampler.keep.data<float>()[5], 1);
}

TEST(Word2Vec, SameBytesTwiceAndAtAnyNumberOfThreads) {
  const int threads = cpu::num_threads();
  for (const WordModel model : {WordModel::skip_gram, WordModel::cbow}) {
    const Word2VecStepOptions options{.model = model, .batch = 512};
    cpu::set_num_threads(1);
    const Tensor once = train(options, 4).input;
    for (const int used : {1, 2, 3}) {
      cpu::set_num_threads(used);
      const Tensor again = train(options, 4).input;
      EXPECT_EQ(std::memcmp(again.data(), once.data(), sizeof(float) * static_cast<size_t>(once.numel())), 0) << used;
    }
  }
  cpu::set_num_threads(threads);
}

/// One thread: what threads do to each other's rows is meant, and a sanitizer would report it.
TEST(Word2Vec, WordsThatStandTogetherEndTogether) {
  const int threads = cpu::num_threads();
  cpu::set_num_threads(1);
  for (const WordModel model : {WordModel::skip_gram, WordModel::cbow}) {
    for (const bool fast : {false, true}) {
      const Trained before = train({.model = model, .fast = fast}, 1), after = train({.model = model, .fast = fast});
      EXPECT_LT(mean(after.losses).item<double>(), 0.9 * mean(before.losses).item<double>());
      for (int64_t other = 1; other < 5; ++other)
        EXPECT_GT(cosine(after.input, 0, other), cosine(after.input, 0, other + 5) + 0.5) << fast;
    }
  }
  cpu::set_num_threads(threads);
}

/// Centres one by one are batches of one: so the lock-free mode is held against the other, at widths with every kind of
/// rest that vectors leave. Their sums differ in order alone.
TEST(Word2Vec, LockFreeOnOneThreadIsBatchesOfOne) {
  const int threads = cpu::num_threads();
  cpu::set_num_threads(1);
  const Tensor text = two_worlds(20), rate = full({1}, 0.1, {f64, cpu_device});
  const WordSampler sampler = word_sampler(full({10}, 160, {i64, cpu_device}), 0);
  for (const WordModel model : {WordModel::skip_gram, WordModel::cbow}) {
    for (const int64_t width : {1, 5, 43, 64, 127, 300}) {
      manual_seed(4);
      const Tensor start = (rand({20, width}) - 0.5) / std::sqrt(static_cast<double>(width));
      Tensor tables[2];
      for (const bool fast : {false, true}) {
        const Tensor input = start.slice(0, 0, 10).clone(), output = start.slice(0, 10, 20).clone();
        manual_seed(5);
        word2vec(input, output, text, sampler, rate, {.model = model, .batch = 1, .fast = fast});
        tables[fast] = cat({input, output});
      }
      EXPECT_LT(max(abs(tables[0] - tables[1])).item<double>(), 1e-5) << width;
      EXPECT_GT(max(abs(tables[0] - start)).item<double>(), 0.1) << width;
    }
  }
  cpu::set_num_threads(threads);
}

/// Ten words, a thousand centres a batch: a hundred sums of steps a row would throw it far away.
TEST(Word2Vec, CrowdedRowsStayWhereTheyBelong) {
  const Trained trained = train({.batch = 4096}, 60);
  EXPECT_LT(max(abs(trained.input)).item<double>(), 10);
}

}  // namespace
}  // namespace percale
