#include "flags.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

namespace percale::apps {
namespace {

/// A text is read until so many words have been read, but so often at least and at most.
constexpr int64_t enough_words = 30'000'000, least_epochs = 5, most_epochs = 15;

}  // namespace

void WordFlags::add_to(Program& program) {
  program.option("--text", text,
                 "a UTF-8 text with a sentence a line, words between spaces; if not given: generated sentences",
                 "FILE");
  program.choice("--model", model,
                 "a word predicts each word around it, or their mean predicts it; or the words before predict the next",
                 {"skip-gram", "cbow", "next-word"});
  program.option("--dim", dim, "numbers a vector", 1, 65'536);
  program.option("--window", window, "words on each side that count, at most; words before the next", 1, 1000);
  program.option("--negative", negative, "noise words a centre; if not given: 5, or 10 below 6 million words", 1, 1000);
  program.option("--sample", sample,
                 "pass over words above this share of the text, the oftener the more frequent; 0: never", 0, 1);
  program.option("--min-count", min_count, "leave out words that stand there less often", 1);
  program.option("--words", words, "and all but the most frequent ones", 1, 1 << 30);
  program.option(
      "--epochs", epochs,
      "how often to read the text; if not given: 5 to 15 times, until 30 million words are read; next word: 5");
  program.option("--lr", lr, "learning rate at the start, falling; 0: 0.025, or Adam's 0.002 for the next word", 0,
                 1e3);
  program.flag("--lower", lower, "fold the text to lower case");
  program.option("--drop", drop, "words to pass over", "WORD...");
  program.flag("--fast", fast, "lock-free on the CPU: faster, other bytes each run");
  program.flag("--subwords", subwords,
               "words are made of their pieces of 3 to 6 letters too: unseen words have a vector");
  program.option("--buckets", buckets, "pieces are told apart by a hash below this number", 1, INT32_MAX);
  program.option("--hidden", hidden, "next word: units between the words before and the next", 1, 65'536);
  program.option("--samples", samples, "next word: noise words a step, for a softmax over many words", 1, 1 << 24);
  program.option("--dropout", dropout, "next word: what part of vectors and units is left out in learning", 0, 1);
  program.option("--valid", valid, "next word: a text that is not learnt, whose perplexity is told", "FILE");
  program.option("--next", next, "print the five words that most probably come after these", "WORDS");
  program.option("--sentences", sentences, "how many to generate without --text", 1, 100'000'000);
  program.option("--vectors", vectors,
                 "read these vectors (word2vec .bin or .txt, .safetensors, .npy) and learn nothing", "FILE");
  program.option("--output", output, "write the vectors", "FILE.bin|.txt|.safetensors|.npy");
  program.option("--vocabulary", vocabulary, "write the dictionary with its counts", "FILE");
  program.option("--ids", ids, "print the numbers of a sentence's words", "SENTENCE");
  program.option("--nearest", nearest, "print the words nearest to this one", "WORD");
  program.option("--neighbours", neighbours, "how many of them", 1, 1'000'000);
  program.option("--closer", closer, "is the first word closer to the second than to the third?", "WORD WORD WORD");
  program.option("--analogy", analogy, "what is to the third word as the second is to the first?", "WORD WORD WORD");
  program.choice("--distance", distance, "what near means", {"cosine", "euclidean", "dot"});
  program.option("--evaluate", evaluate, "pairs with people's scores (Spearman), or questions-words files", "FILE...");
}

void WordFlags::check() const {
  for (const auto& [flag, words] : {std::pair{"--closer", &closer}, {"--analogy", &analogy}})
    if (!words->empty() && words->size() != 3)
      throw UsageError(std::string(flag) + ": expected three words, got " + std::to_string(words->size()));
  if (!vectors.empty() && !text.empty())
    throw UsageError("--vectors and --text both say where the vectors come from; give one");
  if (!vectors.empty() && !ids.empty())
    throw UsageError("--ids needs a dictionary: it goes with --text, not with --vectors");
  if (!vectors.empty() && !vocabulary.empty())
    throw UsageError("--vocabulary needs a text to count: it does not go with --vectors");
  if (is_next_word() && subwords) throw UsageError("--subwords goes with --model skip-gram or cbow");
  if (!is_next_word() && (!next.empty() || !valid.empty()))
    throw UsageError(std::string(next.empty() ? "--valid" : "--next") + " goes with --model next-word");
  if (!output.empty()) {
    language::require_known_ending(output);
    require_writable("--output", output);
  }
  if (!vocabulary.empty()) require_writable("--vocabulary", vocabulary);
  std::vector<std::pair<const char*, std::string>> read = {
      {"--text", text}, {"--vectors", vectors}, {"--valid", valid}};
  for (const std::string& file : evaluate) read.emplace_back("--evaluate", file);
  for (const auto& [flag, file] : read)
    if (!file.empty() && access(file.c_str(), R_OK) != 0)
      throw Error(std::string(flag) + " " + file + ": " + std::strerror(errno));
}

int64_t WordFlags::epochs_for(int64_t words) const {
  if (epochs) return *epochs;
  if (is_next_word()) return least_epochs;  // what it has read too often it knows by heart
  return std::clamp((enough_words + words - 1) / std::max<int64_t>(1, words), least_epochs, most_epochs);
}

int64_t WordFlags::negative_for(int64_t words) const {
  return negative.value_or(words < enough_words / least_epochs ? 10 : 5);
}

models::Word2VecOptions WordFlags::model_options(int64_t words) const {
  return {.width = dim,
          .sample = sample,
          .step = {.model = model == "cbow" ? WordModel::cbow : WordModel::skip_gram,
                   .window = window,
                   .negative = negative_for(words),
                   .fast = fast},
          .subwords = subwords,
          .pieces = {.buckets = buckets}};
}

models::NextWordOptions WordFlags::next_word_options() const {
  return {.width = dim, .context = window, .hidden = hidden, .samples = samples, .dropout = dropout};
}

std::string WordFlags::arguments(const Settings& settings, int64_t words) const {
  std::ostringstream line;
  line.precision(17);
  line << "--model " << model << " --dim " << dim << " --window " << window << " --negative " << negative_for(words)
       << " --sample " << sample << " --min-count " << min_count << " --words " << words << " --lr " << rate()
       << " --seed " << settings.seed;
  if (is_next_word()) line << " --hidden " << hidden << " --samples " << samples << " --dropout " << dropout;
  if (subwords) line << " --subwords --buckets " << buckets;
  if (lower) line << " --lower";
  for (const std::string& word : drop) line << " --drop " << word;
  if (is_generated())
    line << " --sentences " << sentences;
  else
    line << " --text " << text;
  return line.str();
}

}  // namespace percale::apps
