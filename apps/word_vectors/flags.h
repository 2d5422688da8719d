// What word_vectors can be asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../program/program.h"

namespace percale::apps {

struct WordFlags {
  // What to learn from, and how.
  std::string text, model = "skip-gram";
  std::vector<std::string> drop;
  int64_t dim = 128, window = 5, min_count = 5, words = 100'000, buckets = 2'000'000, sentences = 20'000;
  std::optional<int64_t> epochs, negative;
  double sample = 1e-3, lr = 0;
  bool lower = false, fast = false, subwords = false;
  // Of the next word alone.
  int64_t hidden = 256, samples = 1024;
  double dropout = 0.2;
  std::string valid, next;
  // What to do with the result.
  std::string vectors, output, vocabulary, ids, nearest, distance = "cosine";
  std::vector<std::string> evaluate, closer, analogy;
  int64_t neighbours = 10;

  void add_to(Program& program);
  /// Throws UsageError where flags make no sense together, and an error where a file cannot be written or read.
  void check() const;

  bool is_generated() const { return text.empty(); }
  bool is_next_word() const { return model == "next-word"; }
  /// The learning rate at the start: --lr, or what the model's optimizer likes.
  double rate() const { return lr > 0 ? lr : is_next_word() ? 0.002 : 0.025; }
  /// How often to read a text of so many words: --epochs, or 5 times; word2vec reads a small text oftener, up to 15
  /// times, until it has read 30 million words.
  int64_t epochs_for(int64_t words) const;
  /// Noise words a centre: --negative, or 5; 10 for a text that is small enough to be read oftener. "Values of k in the
  /// range 5-20 are useful for small training datasets, while for large datasets the k can be as small as 2-5": Mikolov
  /// and others, 2013.
  int64_t negative_for(int64_t words) const;
  models::Word2VecOptions model_options(int64_t words) const;
  models::NextWordOptions next_word_options() const;
  /// What decides the result of a run on a text of so many words, for its checkpoints.
  std::string arguments(const Settings& settings, int64_t words) const;
};

}  // namespace percale::apps
