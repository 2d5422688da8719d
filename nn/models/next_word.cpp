#include "next_word.h"

#include <algorithm>
#include <cmath>

#include "../../core/autograd.h"
#include "../../core/trace.h"
#include "../../kernels/cat/cat.h"
#include "../../kernels/cross_entropy/cross_entropy.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/embedding/embedding.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/index_select/index_select.h"
#include "../../kernels/linear/linear.h"
#include "../../kernels/softmax/softmax.h"
#include "../../kernels/top_k/top_k.h"
#include "../init.h"

namespace percale::models {
namespace {

/// How often each entry stands in the text. There is an end of a line for every so many words; that it is drawn as
/// noise by another share than its own does no harm, since the loss corrects for it.
Tensor counts_of(const language::Vocabulary& vocabulary) {
  constexpr int64_t words_a_line = 50;
  const Tensor counts = Tensor::empty({vocabulary.size() + 1}, {i64, cpu_device});
  int64_t *count = counts.data<int64_t>(), total = 0;
  for (int64_t i = 0; i < vocabulary.size(); ++i) total += count[i] = static_cast<int64_t>(vocabulary.count(i));
  count[vocabulary.size()] = total / words_a_line;
  return counts;
}

const NextWordOptions& checked(const NextWordOptions& options) {
  require(options.width >= 1 && options.context >= 1 && options.hidden >= 1 && options.samples >= 1, "next_word",
          "width, context, hidden and samples must be 1 or more, got {}, {}, {} and {}", options.width, options.context,
          options.hidden, options.samples);
  return options;
}

}  // namespace

NextWord::NextWord(const language::Vocabulary& vocabulary, const NextWordOptions& options)
    : options_(checked(options)),
      vocabulary_(vocabulary),
      hidden_(options.context * options.width, options.hidden),
      output_(options.hidden, options.width),
      dropout_(options.dropout) {
  const NoGradGuard no_grad;
  const Tensor counts = counts_of(vocabulary);
  const ClassSampler sampler = class_sampler(counts);
  table = add("table", Tensor::empty({counts.size(0), options.width}));
  nn::init::normal_(table, 0, 0.1);
  bias = add("bias", class_sampler(counts, 1).log_share.unsqueeze(1));
  add("hidden", hidden_);
  add("output", output_);
  add("dropout", dropout_);
  offsets_ =
      add_buffer("offsets", arange(0, static_cast<double>(options.context + 1), 1, {i64, cpu_device}).unsqueeze(0));
  accept_ = add_buffer("accept", sampler.accept);
  alias_ = add_buffer("alias", sampler.alias);
  log_share_ = add_buffer("log_share", sampler.log_share);
}

Tensor NextWord::state(const Tensor& before) const {
  require(before.rank() == 2 && before.size(1) == options_.context, "next_word", "expected [rows, {}] words, got {}",
          options_.context, before.shape());
  const Tensor rows = embedding(table, before, {.sparse = is_sampled()});
  return dropout_(output_(dropout_(hidden_.relu(dropout_(rows.reshape({before.size(0), -1}))))));
}

Tensor NextWord::forward(const Tensor& before) const { return linear(state(before), table, bias.reshape({-1})); }

Tensor NextWord::padded(const Tensor& text) const {
  require(text.rank() == 1 && text.dtype() == i32, "next_word", "a text must be [count] of i32, got {} of {}",
          text.shape(), text.dtype());
  return cat({full({options_.context}, static_cast<double>(line_end()), text.options()), text});
}

std::pair<Tensor, Tensor> NextWord::words_at(const Tensor& padded_text, const Tensor& positions) const {
  const int64_t each = options_.context + 1;
  const Tensor which = (positions.unsqueeze(1) + offsets_).reshape({-1});
  const Tensor words = index_select(padded_text, 0, which).reshape({positions.size(0), each});
  return {words.slice(1, 0, options_.context), words.select(1, options_.context).contiguous()};
}

Tensor NextWord::loss(const Tensor& padded_text, const Tensor& positions) const {
  const auto [before, target] = words_at(padded_text, positions);
  const Tensor hidden = state(before);
  if (!is_sampled()) return cross_entropy(linear(hidden, table, bias.reshape({-1})), target);
  return sampled_softmax(hidden, table, bias, target, {accept_, alias_, log_share_},
                         {.samples = options_.samples, .sparse = true});
}

double NextWord::perplexity(const Tensor& padded_text) const {
  constexpr int64_t rows = 256;  // their logits are the largest thing that is held
  const NoGradGuard no_grad;
  const bool was_training = training();
  eval();
  const int64_t count = padded_text.size(0) - options_.context;
  require(count > 0, "next_word", "there is no word to predict");
  const Tensor positions = arange(0, static_cast<double>(count), 1, {i64, padded_text.device()});
  double total = 0;
  for (int64_t first = 0; first < count; first += rows) {
    const auto [before, target] = words_at(padded_text, positions.slice(0, first, std::min(first + rows, count)));
    total += cross_entropy((*this)(before), target, {.reduction = Reduction::sum}).item<double>();
  }
  train(was_training);
  return std::exp(total / static_cast<double>(count));
}

std::vector<std::pair<std::string, double>> NextWord::next(std::string_view sentence, int64_t count) const {
  const NoGradGuard no_grad;
  const std::vector<int64_t> words = vocabulary_.ids(sentence);
  const Tensor text = Tensor::empty({static_cast<int64_t>(words.size())}, {i32, cpu_device});
  std::transform(words.begin(), words.end(), text.data<int32_t>(),
                 [](int64_t word) { return static_cast<int32_t>(word); });
  const Tensor all = padded(text), before = all.slice(0, all.size(0) - options_.context, all.size(0));
  const bool was_training = training();
  eval();
  const Tensor shares = softmax((*this)(before.unsqueeze(0).to(table.device())), 1);
  train(was_training);
  const auto [probability, entry] = top_k(shares, std::min(count, entries()));
  const Tensor p = probability.to(cpu_device).contiguous(), e = entry.to(cpu_device).contiguous();
  std::vector<std::pair<std::string, double>> result;
  for (int64_t i = 0; i < p.numel(); ++i) {
    const int64_t which = e.data<int64_t>()[i];
    result.emplace_back(which == line_end() ? "<eos>" : vocabulary_.word(which), p.data<float>()[i]);
  }
  return result;
}

language::WordVectors NextWord::vectors() const {
  return {vocabulary_.words(), table.detach().slice(0, 0, vocabulary_.others()).to(cpu_device).contiguous()};
}

}  // namespace percale::models
