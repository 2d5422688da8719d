// What a published BERT says of itself in its config.json.
#pragma once

#include <cstdint>
#include <string>

#include "../../core/io/file.h"

namespace percale::models {

/// The fields of a `config.json` that shape the model, under their names there. What stands here is bert-base-uncased.
struct BertConfig {
  int64_t vocab_size = 30'522;
  int64_t hidden_size = 768;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t intermediate_size = 3'072;
  std::string hidden_act =
      "gelu";  ///< `gelu` (by erf), or its approximation by tanh, `gelu_new` or `gelu_pytorch_tanh`
  double hidden_dropout_prob = .1;
  double attention_probs_dropout_prob = .1;
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  double initializer_range = .02;
  double layer_norm_eps = 1e-12;
  int64_t pad_token_id = 0;

  /// From a `config.json`; a field that is not there keeps its value above. An error names the file, the field and what
  /// is wrong with it: not JSON, a model_type other than bert, absent or of the wrong kind, extents that are not
  /// positive or are beyond 2^24, heads that do not divide the width, an activation or position embedding that BERT
  /// does not have.
  static BertConfig from_file(const std::string& path);
  static BertConfig from_source(const io::Source& source);
  /// An error by `owner` unless every field is as `from_source` demands.
  void check(const std::string& owner) const;
  /// The text of a `config.json` that transformers reads, with the fields of the JSON object `more`.
  std::string json(const std::string& architecture = "BertModel", const std::string& more = "{}") const;

  int64_t head_size() const { return hidden_size / num_attention_heads; }
};

}  // namespace percale::models
