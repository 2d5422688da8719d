// The tutorial's road to word vectors: an embedding, and a softmax over the dictionary for what the next word is.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../kernels/sampled_softmax/sampled_softmax.h"
#include "../layers/activations.h"
#include "../layers/linear.h"
#include "../module.h"
#include "../text/vocabulary.h"
#include "../text/word_vectors.h"

namespace percale::models {

struct NextWordOptions {
  int64_t width = 128;     ///< numbers a vector
  int64_t context = 5;     ///< words that are looked at
  int64_t hidden = 256;    ///< units between
  int64_t samples = 1024;  ///< noise words a step; the whole softmax where the dictionary is no larger
  double dropout = 0.2;    ///< of the vectors and of the hidden units, in training
};

/// The probability of each word of the dictionary to be the next, from the words before: their vectors side by side, a
/// hidden layer of ReLU units, and back to a vector, whose products with all words' vectors go through a softmax. One
/// table serves both ends.
///
/// Y. Bengio and others, "A Neural Probabilistic Language Model", JMLR 2003; the shared table: Press and Wolf, "Using
/// the Output Embedding to Improve Language Models", 2017. Entries are the vocabulary's, the one for all other words
/// among them, and a last one for the end of a line.
///
///     models::NextWord model(vocabulary);
///     Tensor text = model.padded(language::encode_lines(source, vocabulary));
///     Tensor loss = model.loss(text, positions);      // of the words at those positions
///     model.eval();
///     model.next("the cat", 5);                       // {{"sat", 0.07}, ...}
class NextWord : public nn::ModuleOf<NextWord> {
 public:
  explicit NextWord(const language::Vocabulary& vocabulary, const NextWordOptions& options = {});

  nn::Parameter table;  ///< f32 [entries, width]
  nn::Parameter bias;   ///< f32 [entries, 1]: begins as the logarithm of each word's share of the text

  int64_t entries() const { return table.size(0); }
  int64_t line_end() const { return entries() - 1; }

  /// Words before [rows, context] of i32 to logits [rows, entries].
  Tensor forward(const Tensor& before) const;

  /// A text i32 [count] (language::encode_lines) with `context` ends of lines before it.
  Tensor padded(const Tensor& text) const;
  /// The mean loss of the words at `positions` (i64 [rows], of the text without its padding), by sampled softmax where
  /// that pays. May stand in a captured step.
  Tensor loss(const Tensor& padded_text, const Tensor& positions) const;
  /// exp of the mean -log(probability) over a whole text by the whole softmax, in evaluation mode.
  double perplexity(const Tensor& padded_text) const;
  /// The `count` most probable words after a sentence, with their probabilities: the end of a line is `<eos>`.
  std::vector<std::pair<std::string, double>> next(std::string_view sentence, int64_t count) const;

  /// The words' vectors, without those of the last two entries.
  language::WordVectors vectors() const;

 private:
  /// Then the tables' gradients are sparse.
  bool is_sampled() const { return options_.samples < entries(); }
  Tensor state(const Tensor& before) const;
  /// The words before each position and the one at it.
  std::pair<Tensor, Tensor> words_at(const Tensor& padded_text, const Tensor& positions) const;

  NextWordOptions options_;
  language::Vocabulary vocabulary_;
  nn::Linear hidden_, output_;
  nn::Dropout dropout_;
  nn::Parameter offsets_, accept_, alias_, log_share_;
};

}  // namespace percale::models
