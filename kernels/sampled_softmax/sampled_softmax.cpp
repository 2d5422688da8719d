#include "sampled_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/random.h"
#include "../../core/trace.h"
#include "../cat/cat.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../embedding/embedding.h"
#include "../fill/fill.h"
#include "../linear/linear.h"
#include "../reduction/reduction.h"
#include "../softmax/softmax.h"
#include "../word2vec/word2vec.h"
#include "sampled_softmax_twins.h"

namespace percale {
namespace {

void check(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const Tensor& target,
           const ClassSampler& sampler, const SampledSoftmaxOptions& options) {
  const char* name = "sampled_softmax";
  require(hidden.rank() == 2 && (hidden.dtype() == f32 || hidden.dtype() == f64), name,
          "hidden must be [rows, width] of f32 or f64, got {} of {}", hidden.shape(), hidden.dtype());
  require(weight.rank() == 2 && weight.size(1) == hidden.size(1) && weight.dtype() == hidden.dtype(), name,
          "hidden {} of {} does not fit weight {} of {}", hidden.shape(), hidden.dtype(), weight.shape(),
          weight.dtype());
  const int64_t classes = weight.size(0);
  require(classes > 0 && classes < int64_t{1} << 31, name, "there must be 1 to 2^31 - 1 classes, got {}", classes);
  require(bias.shape() == Shape({classes, 1}) && bias.dtype() == weight.dtype(), name,
          "bias must be {} as weight, got {} of {}", Shape{classes, 1}, bias.shape(), bias.dtype());
  require(target.rank() == 1 && is_index(target.dtype()) && target.size(0) == hidden.size(0), name,
          "target must be [{}] of i64 or i32, got {} of {}", hidden.size(0), target.shape(), target.dtype());
  const Shape each{classes};
  require(sampler.accept.shape() == each && sampler.alias.shape() == each && sampler.log_share.shape() == each, name,
          "the sampler must be for {} classes, got {}", classes, sampler.accept.shape());
  require(options.samples >= 1 && options.samples <= 1 << 24, name, "samples must be 1 to 2^24, got {}",
          options.samples);
  require_same_device(name, {&hidden, &weight, &bias, &target, &sampler.accept, &sampler.alias, &sampler.log_share});
}

/// The gradient made of operations, so that it has one of its own: {by own, by scores}.
Tensors differentiable_gradient(const Tensor& upstream, const Tensor& own, const Tensor& scores,
                                const Tensor& classes) {
  const int64_t rows = own.size(0), end = classes.size(0);
  const Tensor hit = eq(classes.slice(0, 0, rows).unsqueeze(1), classes.slice(0, rows, end).unsqueeze(0));
  const Tensor nothing = full({}, -std::numeric_limits<double>::infinity(), scores.options());
  const Tensor share = softmax(cat({own.unsqueeze(1), where(hit, nothing, scores)}, 1), 1);
  return {upstream * (share.select(1, 0) - 1), upstream.unsqueeze(1) * share.slice(1, 1, share.size(1))};
}

Tensors fused_gradient(const Tensor& upstream, const SampledScores& in, const Tensor& statistics) {
  const Operation operation{"sampled_softmax_gradient"};
  const Tensors result = {Tensor::empty(in.own.shape(), in.own.options()),
                          Tensor::empty(in.scores.shape(), in.scores.options())};
  on<cpu::sampled_gradient, cuda::sampled_gradient>(
      in.own.device(), in, SampledGradient{upstream.detach().contiguous(), statistics, result[0], result[1]});
  return result;
}

/// -log of the own score's share, a row each.
Tensor losses_of(const Tensor& own, const Tensor& scores, const Tensor& classes) {
  const Tensor losses = Tensor::empty(own.shape(), own.options());
  const Tensor statistics = Tensor::empty({2, own.size(0)}, own.options());
  const Tensor dense_own = own.detach().contiguous(), dense_scores = scores.detach().contiguous();
  on<cpu::sampled_loss, cuda::sampled_loss>(own.device(), SampledScores{dense_own, dense_scores, classes},
                                            SampledLoss{losses, statistics});
  return record("SampledSoftmaxBackward0", losses, {own, scores}, saved(own, scores, classes, statistics),
                [](const Tensors& gradients, const Saved& saved) -> Tensors {
                  if (grad_enabled()) return differentiable_gradient(gradients[0], saved[0], saved[1], saved[2]);
                  const Tensor own = saved[0].detach().contiguous(), scores = saved[1].detach().contiguous();
                  return fused_gradient(gradients[0], {own, scores, saved[2]}, saved[3]);
                });
}

}  // namespace

ClassSampler class_sampler(const Tensor& counts, double power) {
  const Tensor at_least_one = counts.clone();
  require(counts.dtype() == i64 && counts.device().is_cpu() && counts.rank() == 1, "class_sampler",
          "counts must be [classes] of i64 on the CPU, got {} of {}", counts.shape(), counts.dtype());
  int64_t* count = at_least_one.data<int64_t>();
  for (int64_t i = 0; i < counts.numel(); ++i) {
    require(count[i] >= 0, "class_sampler", "class {} has the count {}", i, count[i]);
    count[i] = std::max<int64_t>(count[i], 1);
  }
  const WordSampler words = word_sampler(at_least_one, 0, power);
  const Tensor log_share = Tensor::empty(counts.shape());
  double total = 0;
  for (int64_t i = 0; i < counts.numel(); ++i) total += std::pow(static_cast<double>(count[i]), power);
  for (int64_t i = 0; i < counts.numel(); ++i)
    log_share.data<float>()[i] = static_cast<float>(power * std::log(static_cast<double>(count[i])) - std::log(total));
  return {words.accept, words.alias, log_share};
}

Tensor sampled_softmax(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const Tensor& target,
                       const ClassSampler& sampler, const SampledSoftmaxOptions& options) {
  const Operation operation{"sampled_softmax"};
  check(hidden, weight, bias, target, sampler, options);
  const int64_t rows = hidden.size(0), end = rows + options.samples;
  const Tensor chosen = target.detach().to(i64).contiguous();
  const Tensor classes = Tensor::empty({end}, chosen.options()),
               correction = Tensor::empty({options.samples}, hidden.options());
  on<cpu::draw_classes, cuda::draw_classes>(
      hidden.device(), ClassDraw{chosen, sampler, next_random_key(hidden.device()), classes, correction});

  const EmbeddingOptions table{.sparse = options.sparse};
  const auto bias_of = [&](const Tensor& which) { return embedding(bias, which, table).reshape({-1}); };
  const Tensor own_classes = classes.slice(0, 0, rows), noise = classes.slice(0, rows, end);
  const Tensor own = sum(hidden * embedding(weight, own_classes, table), {1}) + bias_of(own_classes);
  const Tensor scores = linear(hidden, embedding(weight, noise, table), bias_of(noise) + correction);
  if (rows == 0) return mean(own);
  return mean(losses_of(own, scores.to(own.dtype()), classes));
}

}  // namespace percale
