#include "text_classifier.h"

#include "../../core/autograd.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../init.h"

namespace percale::models {

VectorClassifier::VectorClassifier(int64_t width) : linear(add("linear", nn::Linear(width, 1))) {}

Tensor VectorClassifier::forward(const Tensor& vectors) const { return sigmoid(linear(vectors)); }

BagClassifier::BagClassifier(int64_t vocabulary, int64_t width, int64_t padding_id)
    : embedding(add("embedding", nn::EmbeddingBag(vocabulary, width, {.padding_idx = padding_id}))),
      linear(add("linear", nn::Linear(width, 1))) {
  const NoGradGuard no_grad;
  nn::init::normal_(embedding.weight, 0, 0.1);
  embedding.weight.detach()[padding_id].zero_();
}

Tensor BagClassifier::forward(const Tensor& ids) const { return sigmoid(linear(embedding(ids))); }

SentenceClassifier::SentenceClassifier(const SentenceEncoder& encoder)
    : encoder(add("encoder", encoder)), linear(add("linear", nn::Linear(encoder.width(), 1))) {}

Tensor SentenceClassifier::forward(const PackedTokens& tokens) const { return sigmoid(linear(encoder(tokens))); }

void SentenceClassifier::freeze_but_last(int64_t layers) const {
  const auto count = static_cast<int64_t>(encoder.bert.encoder.layer.size());
  require(layers >= 0 && layers <= count, "freeze_but_last", "there are {} layers, got {}", count, layers);
  encoder.requires_grad_(false);
  if (layers == 0) return;
  for (int64_t i = count - layers; i < count; ++i) encoder.bert.encoder.layer[static_cast<size_t>(i)].requires_grad_();
  for (const SentenceDense& layer : encoder.dense) layer.requires_grad_();
}

}  // namespace percale::models
