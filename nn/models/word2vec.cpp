#include "word2vec.h"

#include "../../core/autograd.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/embedding_bag/embedding_bag.h"
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

/// Word w has row w, and behind the words' rows those of its pieces.
WordParts parts_of(const std::vector<std::string>& words, const language::Subwords& subwords) {
  std::vector<std::vector<int32_t>> rows;
  for (const std::string& word : words) {
    rows.push_back({static_cast<int32_t>(rows.size())});
    for (const int32_t piece : subwords.of(word)) rows.back().push_back(static_cast<int32_t>(words.size()) + piece);
  }
  return word_parts(rows, static_cast<int64_t>(words.size()) + subwords.size());
}

}  // namespace

Word2Vec::Word2Vec(const language::Vocabulary& vocabulary, const Word2VecOptions& options)
    : words_(vocabulary.words()), step_(options.step) {
  require(options.width >= 1, "word2vec", "vectors must have 1 or more numbers, got {}", options.width);
  const NoGradGuard no_grad;
  if (options.subwords) subwords_ = language::Subwords(words_, options.pieces);
  const Shape shape{vocabulary.others(), options.width}, rows{vocabulary.others() + subwords_.size(), options.width};
  input = add("input", (percale::rand(rows) - 0.5) / static_cast<double>(options.width));
  output = add("output", zeros(shape));
  const WordSampler sampler = word_sampler(counts_of(vocabulary), options.sample, options.power);
  keep_ = add_buffer("keep", sampler.keep);
  accept_ = add_buffer("accept", sampler.accept);
  alias_ = add_buffer("alias", sampler.alias);
  if (options.subwords) {
    const WordParts parts = parts_of(words_, subwords_);
    starts_ = add_buffer("starts", parts.starts);
    rows_ = add_buffer("rows", parts.rows);
    user_starts_ = add_buffer("user_starts", parts.user_starts);
    users_ = add_buffer("users", parts.users);
  }
  rate_ = add_buffer("rate", full({1}, 0.025, {f64, cpu_device}));
}

Tensor Word2Vec::learn(const Tensor& text) const {
  const NoGradGuard no_grad;
  const Tensor losses = word2vec(input, output, text, {keep_, accept_, alias_}, rate_, step_, parts());
  const Tensor centres = sum((losses > 0.0).to(f32));
  return sum(losses) / maximum(centres, ones({}, centres.options()));
}

void Word2Vec::set_lr(double lr) const { rate_.fill_(lr); }

language::WordVectors Word2Vec::vectors() const {
  const Tensor table = input.detach().to(cpu_device);
  if (subwords_.size() == 0) return {words_, table.slice(0, 0, static_cast<int64_t>(words_.size()))};
  const NoGradGuard no_grad;
  const Tensor whole =
      embedding_bag(table, rows_.to(cpu_device), starts_.to(cpu_device), {.include_last_offset = true});
  return {words_, whole, subwords_, table.slice(0, static_cast<int64_t>(words_.size()), table.size(0))};
}

}  // namespace percale::models
