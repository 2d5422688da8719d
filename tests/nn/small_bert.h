// A small model with a small vocabulary, for tests that need no published one.
#pragma once

#include <percale/core/random.h>
#include <percale/nn/models/sentence_encoder.h>

#include <string>
#include <vector>

#include "../goldens/counter.h"
#include "../testing/folder.h"

namespace percale::testing {

/// Letters, as whole words and as continuations, and some words.
inline language::WordPiece small_tokenizer() {
  std::string pieces = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n,\nhello\nworld\n##ing\n";
  for (char letter = 'a'; letter <= 'z'; ++letter) pieces += std::string(1, letter) + "\n##" + letter + "\n";
  return language::WordPiece::from_vocabulary({pieces, "vocab.txt"});
}

inline models::BertConfig small_config() {
  return {.vocab_size = 62,
          .hidden_size = 96,
          .num_hidden_layers = 2,
          .num_attention_heads = 3,
          .intermediate_size = 160,
          .max_position_embeddings = 80};
}

inline models::SentenceEncoder small_encoder(const models::SentenceEncoderOptions& options = {}) {
  manual_seed(7);
  models::BertConfig config = small_config();
  config.initializer_range = .1;  // so that layers do something
  return {models::Bert(config), small_tokenizer(), options};
}

/// Sentences of 1 to 60 letters, in words of up to 7.
inline std::vector<std::string> small_sentences(size_t count) {
  std::vector<std::string> sentences;
  for (size_t i = 0; i < count; ++i) {
    std::string sentence;
    const size_t letters = goldens::bits(1, i) % 60 + 1;
    for (size_t k = 0; k < letters; ++k) {
      const uint64_t bits = goldens::bits(2 + i, k) >> 20;
      if (k && bits % 5 == 0) sentence += ' ';
      sentence += static_cast<char>('a' + bits / 5 % 26);
    }
    sentences.push_back(sentence);
  }
  return sentences;
}

}  // namespace percale::testing
