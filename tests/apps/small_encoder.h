// A BERT small enough for tests, in a folder as published ones come.
#pragma once

#include <percale/percale.h>

#include <string>

namespace percale::testing {

/// Two layers, 32 wide, random weights and the small vocabulary; mean pooling, vectors of length 1.
inline void write_small_encoder(const std::string& folder, uint64_t seed = 5) {
  manual_seed(seed);
  const language::WordPiece tokenizer = language::small_vocabulary();
  models::BertConfig config;
  config.vocab_size = tokenizer.vocabulary_size();
  config.hidden_size = 32;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.intermediate_size = 64;
  models::SentenceEncoder(models::Bert(config), tokenizer, {.max_seq_length = 64, .normalize = true})
      .save_pretrained(folder);
}

}  // namespace percale::testing
