#include "skip_gram.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "skip_gram_twins.h"

namespace percale {
namespace {

/// Vose's table: entries with less than an even share are filled up by one with more.
void fill_alias_table(const std::vector<double>& shares, float* accept, int32_t* alias) {
  const size_t count = shares.size();
  std::vector<double> left(count);
  std::vector<size_t> small, large;
  for (size_t i = count; i-- > 0;) {
    left[i] = shares[i] * static_cast<double>(count);
    (left[i] < 1 ? small : large).push_back(i);
    accept[i] = 1;
    alias[i] = static_cast<int32_t>(i);
  }
  while (!small.empty() && !large.empty()) {
    const size_t poor = small.back(), rich = large.back();
    small.pop_back();
    accept[poor] = static_cast<float>(left[poor]);
    alias[poor] = static_cast<int32_t>(rich);
    left[rich] -= 1 - left[poor];
    if (left[rich] < 1) {
      large.pop_back();
      small.push_back(rich);
    }
  }
}

void check_options(const SkipGramOptions& options) {
  require(options.window >= 1 && options.window <= 1000, "skip_gram", "the window must be 1 to 1000, got {}",
          options.window);
  require(options.negative >= 1 && options.negative <= 1000, "skip_gram", "noise words must be 1 to 1000, got {}",
          options.negative);
  require(options.batch >= 1 && options.batch <= 1 << 20, "skip_gram", "a batch must have 1 to 2^20 centres, got {}",
          options.batch);
  require(options.crowd >= 1, "skip_gram", "a crowd is 1 or more, got {}", options.crowd);
}

}  // namespace

WordSampler word_sampler(const Tensor& counts, double sample, double power) {
  require(counts.rank() == 1 && counts.dtype() == i64 && counts.device().is_cpu() && counts.is_contiguous(),
          "word_sampler", "counts must be [words] of i64 on the CPU, got {} of {}", counts.shape(), counts.dtype());
  require(sample >= 0 && std::isfinite(power), "word_sampler", "expected sample >= 0 and a power, got {} and {}",
          sample, power);
  const int64_t words = counts.numel(), *count = counts.data<int64_t>();
  require(words < int64_t{1} << 31, "word_sampler", "more than 2^31 words: {}", words);
  double total = 0, drawn = 0;
  std::vector<double> shares(static_cast<size_t>(words));
  for (int64_t i = 0; i < words; ++i) {
    require(count[i] >= 0, "word_sampler", "word {} has the count {}", i, count[i]);
    total += static_cast<double>(count[i]);
    shares[static_cast<size_t>(i)] = count[i] ? std::pow(static_cast<double>(count[i]), power) : 0;
    drawn += shares[static_cast<size_t>(i)];
  }
  require(total > 0, "word_sampler", "all {} counts are zero", words);
  for (double& share : shares) share /= drawn;
  const WordSampler sampler{Tensor::empty({words}), Tensor::empty({words}), Tensor::empty({words}, {i32, cpu_device})};
  for (int64_t i = 0; i < words; ++i) {
    const double ratio = sample * total / static_cast<double>(std::max<int64_t>(count[i], 1));
    sampler.keep.data<float>()[i] = sample > 0 ? static_cast<float>(std::min(1.0, std::sqrt(ratio) + ratio)) : 1;
  }
  fill_alias_table(shares, sampler.accept.data<float>(), sampler.alias.data<int32_t>());
  return sampler;
}

Tensor skip_gram(const Tensor& input, const Tensor& output, const Tensor& text, const WordSampler& sampler,
                 const Tensor& learning_rate, const SkipGramOptions& options) {
  const Operation operation{"skip_gram"};
  for (const Tensor* table : {&input, &output})
    require(table->rank() == 2 && table->dtype() == f32 && table->is_contiguous(), "skip_gram",
            "the tables must be contiguous [words, width] of f32, got {} of {}", table->shape(), table->dtype());
  require(input.shape() == output.shape() && input.storage() != output.storage(), "skip_gram",
          "expected two tables of one shape, got {} and {}", input.shape(), output.shape());
  require(text.rank() == 1 && text.dtype() == i32, "skip_gram", "the text must be [count] of i32, got {} of {}",
          text.shape(), text.dtype());
  const Shape words{input.size(0)};
  require(sampler.keep.shape() == words && sampler.accept.shape() == words && sampler.alias.shape() == words,
          "skip_gram", "the sampler must be for {} words, got {}", input.size(0), sampler.keep.shape());
  require(learning_rate.dtype() == f64 && learning_rate.numel() == 1, "skip_gram",
          "the learning rate must be one f64, got {} of {}", learning_rate.shape(), learning_rate.dtype());
  require_same_device("skip_gram",
                      {&input, &output, &text, &learning_rate, &sampler.keep, &sampler.accept, &sampler.alias});
  require(input.numel() > 0, "skip_gram", "the tables are empty: {}", input.shape());
  check_options(options);
  const Tensor losses =
      Tensor::empty({(text.numel() + skip_gram_loss_every - 1) / skip_gram_loss_every}, input.options());
  if (text.numel() == 0) return losses;
  const Tensor dense = text.contiguous();
  on<cpu::skip_gram, cuda::skip_gram>(input.device(), SkipGramCall{input, output, dense, sampler, learning_rate,
                                                                   options, next_random_key(input.device()), losses});
  input.mark_written("skip_gram");
  output.mark_written("skip_gram");
  return losses;
}

}  // namespace percale
