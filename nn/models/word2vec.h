// word2vec: a vector a word, such that it predicts the words around it.
#pragma once

#include "../../kernels/word2vec/word2vec.h"
#include "../module.h"
#include "../text/subwords.h"
#include "../text/vocabulary.h"
#include "../text/word_vectors.h"

namespace percale::models {

struct Word2VecOptions {
  int64_t width = 128;
  double sample = 1e-3;  ///< above this share of the text words are passed over the oftener, the more frequent they are
  double power = 0.75;   ///< noise is drawn by count^power
  Word2VecStepOptions step = {};
  bool subwords = false;  ///< a word's vector is the mean of its own and those of its pieces: so unseen words have one
  language::SubwordOptions pieces = {};
};

/// Two vectors a word: `input` as one that predicts, which is the result, and `output` as one that is predicted.
/// Mikolov and others, "Distributed Representations of Words and Phrases and their Compositionality", 2013.
///
///     models::Word2Vec model(vocabulary);
///     model.set_lr(0.025);
///     Tensor loss = model.learn(text);
///     language::WordVectors vectors = model.vectors();
class Word2Vec : public nn::ModuleOf<Word2Vec> {
 public:
  explicit Word2Vec(const language::Vocabulary& vocabulary, const Word2VecOptions& options = {});

  nn::Parameter input,
      output;  ///< f32 [words, width], without the entry for all others; uniform in +-1/2 / width, and 0
               ///< With subwords `input` has a row more for each piece that a word has.

  /// One step of gradient descent on a piece of text, i32 [count] (words of the dictionary, -1 where a sentence ends).
  /// Returns the mean loss of its centres: may stand in a captured step.
  Tensor learn(const Tensor& text) const;
  /// The learning rate from the next step on; not within a captured step.
  void set_lr(double lr) const;

  language::WordVectors vectors() const;

 private:
  WordParts parts() const { return {starts_, rows_, user_starts_, users_}; }

  nn::Parameter keep_, accept_, alias_, rate_;
  nn::Parameter starts_, rows_, user_starts_, users_;  ///< with subwords
  language::Subwords subwords_;
  std::vector<std::string> words_;
  Word2VecStepOptions step_;
};

}  // namespace percale::models
