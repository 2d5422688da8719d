// Models that answer yes or no to a text, with a probability.
#pragma once

#include "../layers/embedding_bag.h"
#include "../layers/linear.h"
#include "sentence_encoder.h"

namespace percale::models {

/// sigmoid(linear(x)): the tutorial's HumorClassifier, which is logistic regression. Vectors [N, width] to
/// probabilities [N, 1].
class VectorClassifier : public nn::ModuleOf<VectorClassifier> {
 public:
  explicit VectorClassifier(int64_t width);
  Tensor forward(const Tensor& vectors) const;

  nn::Linear linear;
};

/// The same of the mean of a vector a piece, which are learnt too (Joulin and others, "Bag of Tricks for Efficient Text
/// Classification", 2017). Begins with small vectors, so that in a short training no piece says much that was not
/// learnt.
class BagClassifier : public nn::ModuleOf<BagClassifier> {
 public:
  /// @param padding_id the piece that counts for nothing: [PAD]
  BagClassifier(int64_t vocabulary, int64_t width, int64_t padding_id);
  /// Ids i64 [N, length], padded, to probabilities [N, 1].
  Tensor forward(const Tensor& ids) const;

  nn::EmbeddingBag embedding;
  nn::Linear linear;
};

/// The same of the vectors of a sentence encoder that learns along: fine-tuning.
class SentenceClassifier : public nn::ModuleOf<SentenceClassifier> {
 public:
  explicit SentenceClassifier(const SentenceEncoder& encoder);
  /// Sentences, as `encoder.tokenize` gives them, to probabilities [sentences, 1].
  Tensor forward(const PackedTokens& tokens) const;
  /// Of the encoder only the last `layers` layers, and what stands behind them, learn; everything else keeps its bytes.
  /// With 0 the head alone learns. An error if there are fewer.
  void freeze_but_last(int64_t layers) const;

  SentenceEncoder encoder;
  nn::Linear linear;
};

}  // namespace percale::models
