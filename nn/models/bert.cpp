#include "bert.h"

#include <cmath>
#include <utility>

#include "../../core/autograd.h"
#include "../../core/precision.h"
#include "../../core/trace.h"
#include "../../kernels/attention/attention.h"
#include "../../kernels/cat/cat.h"
#include "../../kernels/dropout/dropout.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/embedding_norm/embedding_norm.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/index_select/index_select.h"
#include "../../kernels/linear/linear.h"
#include "../../kernels/matmul/matmul.h"
#include "../../kernels/reduction/reduction.h"
#include "../../kernels/softmax/softmax.h"
#include "../init.h"

namespace percale::models {
namespace {

EmbeddingOptions padded_at(const BertConfig& config) {
  EmbeddingOptions options;
  if (config.pad_token_id >= 0 && config.pad_token_id < config.vocab_size) options.padding_idx = config.pad_token_id;
  return options;
}

/// x [tokens, hidden] of one sequence as [heads, length, head_size].
Tensor heads_of(const Tensor& x, int64_t begin, int64_t end, int64_t heads) {
  return x.slice(0, begin, end).reshape({end - begin, heads, x.size(1) / heads}).transpose(0, 1);
}

/// Attention sequence by sequence, with each one's softmax [heads, length, length] appended to `weights`.
Tensor attention_by_products(const Tensor& query, const Tensor& key, const Tensor& value, const PackedTokens& tokens,
                             int64_t heads, double probability, Tensors* weights) {
  const Tensor offsets = tokens.offsets.to(cpu_device);
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(1) / heads));
  Tensors contexts;
  for (int64_t i = 0; i < tokens.sequences(); ++i) {
    const int64_t begin = offsets.data<int64_t>()[i], end = offsets.data<int64_t>()[i + 1];
    const Tensor products =
        matmul(heads_of(query, begin, end, heads), heads_of(key, begin, end, heads).transpose(1, 2));
    const Tensor shares = softmax(products * scale, -1);
    weights->push_back(shares);
    const Tensor context = matmul(dropout(shares, probability, probability > 0), heads_of(value, begin, end, heads));
    contexts.push_back(context.transpose(0, 1).reshape({end - begin, query.size(1)}));
  }
  return cat(contexts, 0);
}

}  // namespace

BertEmbeddings::BertEmbeddings(const BertConfig& config)
    : word_embeddings(add("word_embeddings", nn::Embedding(config.vocab_size, config.hidden_size, padded_at(config)))),
      position_embeddings(
          add("position_embeddings", nn::Embedding(config.max_position_embeddings, config.hidden_size))),
      token_type_embeddings(add("token_type_embeddings", nn::Embedding(config.type_vocab_size, config.hidden_size))),
      layer_norm(add("LayerNorm", nn::LayerNorm(config.hidden_size, {.eps = config.layer_norm_eps}))),
      eps_(config.layer_norm_eps),
      dropout_(config.hidden_dropout_prob) {}

Tensor BertEmbeddings::forward(const PackedTokens& tokens) const {
  const bool is_watched = word_embeddings.has_hooks() || position_embeddings.has_hooks() ||
                          token_type_embeddings.has_hooks() || layer_norm.has_hooks();
  const Tensor normalised =
      is_watched
          ? layer_norm(word_embeddings(tokens.ids) + position_embeddings(tokens.positions) +
                       token_type_embeddings(tokens.types))
          : embedding_layer_norm(word_embeddings.weight, position_embeddings.weight, token_type_embeddings.weight,
                                 tokens.ids, tokens.positions, tokens.types, layer_norm.weight, layer_norm.bias, eps_);
  return dropout(normalised, dropout_, training());
}

BertSelfAttention::BertSelfAttention(const BertConfig& config)
    : query(add("query", nn::Linear(config.hidden_size, config.hidden_size))),
      key(add("key", nn::Linear(config.hidden_size, config.hidden_size))),
      value(add("value", nn::Linear(config.hidden_size, config.hidden_size))),
      heads_(config.num_attention_heads),
      dropout_(config.attention_probs_dropout_prob) {}

Tensor BertSelfAttention::forward(const Tensor& hidden, const PackedTokens& tokens, Tensors* weights) const {
  const double probability = training() ? dropout_ : 0;
  const bool rounds = current_precision() == Precision::bf16 && hidden.dtype() == f32;
  const Tensor x = rounds ? hidden.to(bf16) : hidden;  // once for all three
  const Tensor q = query(x), k = key(x), v = value(x);
  if (weights) return attention_by_products(q, k, v, tokens, heads_, probability, weights);
  return attention(q, k, v, tokens.offsets, tokens.longest, {.heads = heads_, .dropout = probability});
}

BertSelfOutput::BertSelfOutput(const BertConfig& config, int64_t in_features)
    : dense(add("dense", nn::Linear(in_features, config.hidden_size))),
      layer_norm(add("LayerNorm", nn::LayerNorm(config.hidden_size, {.eps = config.layer_norm_eps}))),
      dropout_(config.hidden_dropout_prob) {}

Tensor BertSelfOutput::forward(const Tensor& x, const Tensor& input) const {
  const bool is_narrow = input.dtype() == bf16 && current_precision() == Precision::bf16;  // see Bert::forward
  return layer_norm.of_sum(dropout(dense(x), dropout_, training()), input,
                           is_narrow ? std::optional(bf16) : std::nullopt);
}

BertAttention::BertAttention(const BertConfig& config)
    : self(add("self", BertSelfAttention(config))), output(add("output", BertSelfOutput(config, config.hidden_size))) {}

Tensor BertAttention::forward(const Tensor& hidden, const PackedTokens& tokens, Tensors* weights) const {
  return output(self(hidden, tokens, weights), hidden);
}

BertIntermediate::BertIntermediate(const BertConfig& config)
    : dense(add("dense", nn::Linear(config.hidden_size, config.intermediate_size))),
      approximation_(config.hidden_act == "gelu" ? GeluApproximation::none : GeluApproximation::tanh) {}

Tensor BertIntermediate::forward(const Tensor& x) const {
  if (dense.has_hooks() || approximation_ != GeluApproximation::none) return gelu(dense(x), approximation_);
  return linear_gelu(x, dense.weight, dense.bias);
}

BertLayer::BertLayer(const BertConfig& config)
    : attention(add("attention", BertAttention(config))),
      intermediate(add("intermediate", BertIntermediate(config))),
      output(add("output", BertOutput(config, config.intermediate_size))) {}

Tensor BertLayer::forward(const Tensor& hidden, const PackedTokens& tokens, Tensors* weights) const {
  const Tensor attended = attention(hidden, tokens, weights);
  return output(intermediate(attended), attended);
}

BertEncoder::BertEncoder(const BertConfig& config) {
  struct ModuleList : nn::ModuleOf<ModuleList> {};
  const ModuleList list = add("layer", ModuleList());
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    layer.push_back(list.add(std::to_string(i), BertLayer(config)));
}

BertPooler::BertPooler(const BertConfig& config)
    : dense(add("dense", nn::Linear(config.hidden_size, config.hidden_size))) {}

Tensor BertPooler::forward(const Tensor& hidden, const PackedTokens& tokens) const {
  return tanh(dense(first_tokens(hidden, tokens)));
}

Tensor first_tokens(const Tensor& hidden, const PackedTokens& tokens) {
  return index_select(hidden, 0, tokens.offsets.slice(0, 0, tokens.sequences()));
}

Bert::Bert(const BertConfig& config, bool with_pooler)
    : Bert(config, with_pooler, (config.check("BertConfig"), nn::init::SkipGuard())) {
  if (nn::init::skipped()) return;
  for (const auto& [name, parameter] : named_parameters()) {
    if (name.find("LayerNorm") != std::string::npos)
      nn::init::constant_(parameter, name.ends_with("weight"));
    else if (name.ends_with("bias"))
      nn::init::zeros_(parameter);
    else
      nn::init::normal_(parameter, 0, config.initializer_range);
  }
  if (const auto padding = padded_at(config).padding_idx)
    nn::init::zeros_(embeddings.word_embeddings.weight.detach()[*padding]);
}

Bert::Bert(const BertConfig& config, bool with_pooler, const nn::init::SkipGuard&)
    : embeddings(add("embeddings", BertEmbeddings(config))),
      encoder(add("encoder", BertEncoder(config))),
      pooler(with_pooler ? std::optional(add("pooler", BertPooler(config))) : std::nullopt),
      config_(config) {
  eval();
}

BertResult Bert::forward(const PackedTokens& tokens, const BertForwardOptions& options) const {
  require(tokens.longest <= config_.max_position_embeddings, "Bert",
          "a sequence of {} tokens is longer than the model's {} positions", tokens.longest,
          config_.max_position_embeddings);
  BertResult result;
  const Tensor embedded = embeddings(tokens);
  // What stands between the layers is f32 in training; else products round it anyhow, and sums of two lose little.
  const bool is_narrow = current_precision() == Precision::bf16 && embedded.dtype() == f32 && !grad_enabled();
  Tensor hidden = is_narrow ? embedded.to(bf16) : embedded;
  for (const BertLayer& layer : encoder.layer) {
    if (options.hidden_states) result.hidden_states.push_back(hidden.to(embedded.dtype()));
    hidden = layer(hidden, tokens, options.attentions ? &result.attentions : nullptr);
  }
  result.last_hidden_state = hidden.to(embedded.dtype());
  if (options.hidden_states) result.hidden_states.push_back(result.last_hidden_state);
  if (options.pooler_output && pooler) result.pooler_output = (*pooler)(hidden, tokens);
  return result;
}

}  // namespace percale::models
