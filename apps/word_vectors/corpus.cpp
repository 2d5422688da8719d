#include "corpus.h"

#include <percale/nn/picture/axis.h>

#include <algorithm>

namespace percale::apps {
namespace {

language::Vocabulary count(const io::Source& source, const WordFlags& flags, const Settings& settings) {
  const TraceRange range("count words");
  const train::InterruptGuard guard;
  train::ProgressBar bar(static_cast<int64_t>(source.size()), {.unit = "bytes", .enabled = !settings.quiet});
  bar.start();
  language::WordCounts counts = language::count_words(source, {.lower = flags.lower,
                                                               .drop = flags.drop,
                                                               .most = flags.words,
                                                               .min_count = static_cast<uint64_t>(flags.min_count),
                                                               .progress = [&](uint64_t done, uint64_t) {
                                                                 if (train::interrupted())
                                                                   throw Interrupted(train::interrupting_signal());
                                                                 if (bar.is_due())
                                                                   bar.show(static_cast<int64_t>(done), 0);
                                                               }});
  if (counts.words.empty())
    throw Error(source.name() + ": no word stands there " + std::to_string(flags.min_count) +
                " times; see --min-count");
  return language::Vocabulary(std::move(counts));
}

/// What is held out: --valid, or for generated sentences others, a tenth as many; none for a text alone.
std::unique_ptr<io::Source> valid_source(const WordFlags& flags, const Settings& settings, std::string& sentences) {
  if (!flags.valid.empty()) return std::make_unique<io::Source>(flags.valid);
  if (!flags.is_generated()) return nullptr;
  sentences = language::generated_sentences(std::max<int64_t>(1, flags.sentences / 10), settings.seed + 1);
  return std::make_unique<io::Source>(sentences, "other generated sentences");
}

int64_t words_of(const language::Vocabulary& vocabulary) {
  uint64_t words = 0;
  for (int64_t i = 0; i < vocabulary.size(); ++i) words += vocabulary.count(i);
  return static_cast<int64_t>(words);
}

std::string counted(double number) { return picture::number(number, 0); }

}  // namespace

Corpus load_corpus(const WordFlags& flags, const Settings& settings) {
  std::string sentences;
  if (flags.is_generated()) sentences = language::generated_sentences(flags.sentences, settings.seed);
  const auto source = flags.is_generated() ? std::make_unique<io::Source>(sentences, "generated sentences")
                                           : std::make_unique<io::Source>(flags.text);
  Corpus corpus{.vocabulary = count(*source, flags, settings), .name = source->name()};
  const language::TextOptions options{.lower = flags.lower, .drop = flags.drop};
  if (corpus.vocabulary.others() < 2)
    throw Error(source->name() + ": the only word in the dictionary is " + corpus.vocabulary.word(0) +
                "; see --min-count");
  corpus.text.words = words_of(corpus.vocabulary);
  // With --epochs 0 only its words are wanted; a checkpoint may be amid an epoch of the text.
  const bool learns = flags.epochs.value_or(1) > 0 || settings.resume;
  if (flags.is_next_word()) {
    corpus.lines = learns ? language::encode_lines(*source, corpus.vocabulary, options)
                          : full({1}, corpus.vocabulary.size(), {i32, cpu_device});
    if (const auto other = valid_source(flags, settings, sentences))
      corpus.valid = language::encode_lines(*other, corpus.vocabulary, options);
  } else if (learns) {
    corpus.text.pieces = language::encode_text(*source, corpus.vocabulary, options).pieces.to(settings.device);
  } else {
    corpus.text.pieces = full({1, 1}, -1, {i32, settings.device});
  }
  note(settings, counted(static_cast<double>(corpus.text.words)) + " words of " + source->name() + ", " +
                     counted(static_cast<double>(corpus.vocabulary.others())) + " in the dictionary");
  return corpus;
}

}  // namespace percale::apps
