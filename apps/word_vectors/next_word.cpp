#include "next_word.h"

#include <algorithm>
#include <cstdio>

#include "../program/training.h"
#include "answers.h"

namespace percale::apps {
namespace {

constexpr int64_t batch = 1024;

void print_next(const models::NextWord& model, const std::string& words) {
  std::printf("after %s:\n", words.c_str());
  for (const auto& [word, probability] : model.next(words, 5))
    std::printf("    %-20s %8.4f\n", word.c_str(), probability);
}

}  // namespace

void learn_next_word(const Corpus& corpus, const WordFlags& flags, const Settings& settings) {
  auto model = models::NextWord(corpus.vocabulary, flags.next_word_options()).to(settings.device);
  const Tensor text = model.padded(corpus.lines.to(settings.device));
  const Tensor valid = corpus.valid.defined() ? model.padded(corpus.valid.to(settings.device)) : Tensor();
  data::DataLoader words(arange(corpus.lines.size(0)),
                         {.batch_size = batch, .shuffle = true, .seed = settings.seed, .device = settings.device});
  optim::Adam optimizer(model.parameters(), {.lr = flags.rate()});
  const int64_t epochs = flags.epochs_for(corpus.lines.size(0));
  optim::LinearLR decay(
      optimizer, {.start_factor = 1, .end_factor = 0.01, .total_iters = std::max<int64_t>(1, epochs * words.steps())});

  Training training(settings, epochs, model, optimizer, words, flags.arguments(settings, corpus.lines.size(0)));
  training.count_in("words", 1);
  training.before_steps([&](int64_t step) { decay.set_epoch(step); });
  if (valid.defined()) training.measure_epochs([&] { return model.perplexity(valid); }, "perplexity");
  training.run([&](const Tensor& positions, const Tensor&) {
    Tensor loss = model.loss(text, positions);

    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss;
  });

  train::Metrics numbers = {{"data", corpus.name}, {"vocabulary", model.entries()}};
  if (valid.defined()) {
    const double perplexity = model.perplexity(valid);
    std::printf("perplexity %.2f of %lld words that were not learnt\n", perplexity,
                static_cast<long long>(corpus.valid.size(0)));
    numbers.insert(numbers.end(), {{"perplexity", perplexity}, {"valid_words", corpus.valid.size(0)}});
  }
  if (!flags.next.empty()) print_next(model, flags.next);
  for (auto& answered : answer(model.vectors(), flags, settings)) numbers.push_back(std::move(answered));
  training.finish(numbers);
}

}  // namespace percale::apps
