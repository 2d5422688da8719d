#include "word2vec.h"

#include "../../core/autograd.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/random/random.h"
#include "../../kernels/reduction/reduction.h"

namespace percale::models {
namespace {

Tensor counts_of(const language::Vocabulary& vocabulary) {
  const Tensor counts = Tensor::empty({vocabulary.others()}, {i64, cpu_device});
  for (int64_t i = 0; i < vocabulary.others(); ++i)
    counts.data<int64_t>()[i] = static_cast<int64_t>(vocabulary.count(i));
  return counts;
}

}  // namespace

Word2Vec::Word2Vec(const language::Vocabulary& vocabulary, const Word2VecOptions& options)
    : words_(vocabulary.words()), step_(options.step) {
  require(options.width >= 1, "word2vec", "vectors must have 1 or more numbers, got {}", options.width);
  const NoGradGuard no_grad;
  const Shape shape{vocabulary.others(), options.width};
  input = add("input", (percale::rand(shape) - 0.5) / static_cast<double>(options.width));
  output = add("output", zeros(shape));
  const WordSampler sampler = word_sampler(counts_of(vocabulary), options.sample, options.power);
  keep_ = add_buffer("keep", sampler.keep);
  accept_ = add_buffer("accept", sampler.accept);
  alias_ = add_buffer("alias", sampler.alias);
  rate_ = add_buffer("rate", full({1}, 0.025, {f64, cpu_device}));
}

Tensor Word2Vec::learn(const Tensor& text) const {
  const NoGradGuard no_grad;
  const Tensor losses = skip_gram(input, output, text, {keep_, accept_, alias_}, rate_, step_);
  const Tensor centres = sum((losses > 0.0).to(f32));
  return sum(losses) / maximum(centres, ones({}, centres.options()));
}

void Word2Vec::set_lr(double lr) const { rate_.fill_(lr); }

language::WordVectors Word2Vec::vectors() const { return {words_, input.detach().to(cpu_device)}; }

}  // namespace percale::models
