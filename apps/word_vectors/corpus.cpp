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

std::string counted(double number) { return picture::number(number, 0); }

}  // namespace

Corpus load_corpus(const WordFlags& flags, const Settings& settings) {
  std::string sentences;
  if (flags.is_generated()) sentences = language::generated_sentences(flags.sentences, settings.seed);
  const auto source = flags.is_generated() ? std::make_unique<io::Source>(sentences, "generated sentences")
                                           : std::make_unique<io::Source>(flags.text);
  Corpus corpus{.vocabulary = count(*source, flags, settings), .text = {}, .name = source->name()};
  corpus.text = language::encode_text(*source, corpus.vocabulary, {.lower = flags.lower, .drop = flags.drop});
  if (corpus.vocabulary.others() < 2)
    throw Error(source->name() + ": the only word in the dictionary is " + corpus.vocabulary.word(0) +
                "; see --min-count");
  note(settings, counted(static_cast<double>(corpus.text.words)) + " words of " + source->name() + ", " +
                     counted(static_cast<double>(corpus.vocabulary.others())) + " in the dictionary");
  return corpus;
}

}  // namespace percale::apps
