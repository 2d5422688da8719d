// Sampled softmax: its sampler, its gradient against the whole softmax's, sparse and dense gradients, and the same
// bytes at any number of threads.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>
#include <cstring>

namespace percale {
namespace {

struct Layer {
  Tensor hidden, weight, bias, target;
  ClassSampler sampler;

  Layer(int64_t rows, int64_t width, int64_t classes) {
    manual_seed(5);
    hidden = randn({rows, width}).requires_grad_();
    weight = (randn({classes, width}) * 0.3).requires_grad_();
    bias = (randn({classes, 1}) * 0.3).requires_grad_();
    target = (rand({rows}) * static_cast<double>(classes)).to(i64);
    sampler = class_sampler((rand({classes}) * 50.0).to(i64));
  }
  Tensor loss(const SampledSoftmaxOptions& options) const {
    return sampled_softmax(hidden, weight, bias, target, sampler, options);
  }
};

double difference(const Tensor& a, const Tensor& b) {
  return max(abs(a - b)).item<double>() / max(abs(b)).item<double>();
}

TEST(SampledSoftmax, SamplerDrawsByThePowerOfCountsAndKnowsItsShares) {
  const Tensor counts = tensor({1000, 300, 20, 5, 1, 0});
  const ClassSampler sampler = class_sampler(counts, 0.5);
  double total = 0, drawn[6] = {};
  for (int64_t i = 0; i < 6; ++i) {
    total += std::sqrt(std::max<double>(1, static_cast<double>(counts.data<int64_t>()[i])));
    drawn[i] += static_cast<double>(sampler.accept.data<float>()[i]) / 6;
    drawn[sampler.alias.data<int32_t>()[i]] += (1 - static_cast<double>(sampler.accept.data<float>()[i])) / 6;
  }
  for (int64_t i = 0; i < 6; ++i) {
    const double wanted = std::sqrt(std::max<double>(1, static_cast<double>(counts.data<int64_t>()[i]))) / total;
    EXPECT_NEAR(drawn[i], wanted, 1e-6) << i;
    EXPECT_NEAR(std::exp(sampler.log_share.data<float>()[i]), wanted, 1e-6) << i;
  }
}

/// With n samples the estimate is off by some 1 / sqrt(n): 60,000 are good to a percent, and a wrong correction is not.
TEST(SampledSoftmax, TendsToTheWholeSoftmax) {
  Layer layer(8, 6, 40);
  const Tensor sampled = layer.loss({.samples = 60'000});
  const Tensors found = grad({sampled}, {layer.hidden, layer.weight, layer.bias});
  const Tensor whole = cross_entropy(linear(layer.hidden, layer.weight, layer.bias.reshape({-1})), layer.target);
  const Tensors wanted = grad({whole}, {layer.hidden, layer.weight, layer.bias});
  EXPECT_NEAR(sampled.item<double>(), whole.item<double>(), 0.02);
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(difference(found[i], wanted[i]), 0.03) << i;
}

TEST(SampledSoftmax, SparseGradientsAreTheDenseOnes) {
  Layer dense(9, 5, 30), sparse(9, 5, 30);
  manual_seed(1);
  dense.loss({.samples = 12}).backward();
  manual_seed(1);
  sparse.loss({.samples = 12, .sparse = true}).backward();
  EXPECT_FALSE(sparse.weight.grad().defined());
  for (const auto& [table, wanted] :
       {std::pair{sparse.weight, dense.weight.grad()}, {sparse.bias, dense.bias.grad()}}) {
    const RowGradient rows = coalesced_row_gradient(table);
    const Tensor whole = embedding_gradient(rows.rows, rows.index, table.size(0));
    EXPECT_LT(difference(whole, wanted), 1e-6);
  }
}

TEST(SampledSoftmax, SameBytesAtAnyNumberOfThreads) {
  const int threads = cpu::num_threads();
  Tensors first;
  for (const int used : {1, 2, 3}) {
    cpu::set_num_threads(used);
    Layer layer(300, 40, 500);
    const Tensor loss = layer.loss({.samples = 200});
    Tensors found = grad({loss}, {layer.hidden, layer.weight, layer.bias});
    found.push_back(loss.detach());
    if (first.empty()) first = found;
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(std::memcmp(found[i].contiguous().data(), first[i].contiguous().data(),
                            sizeof(float) * static_cast<size_t>(found[i].numel())),
                0)
          << i;
  }
  cpu::set_num_threads(threads);
}

}  // namespace
}  // namespace percale
