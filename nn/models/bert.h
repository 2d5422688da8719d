// BERT: Devlin and others, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2018
// (arXiv:1810.04805). The parts have the names that Hugging Face's BertModel gives them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "../../kernels/elementwise/elementwise.h"
#include "../init.h"
#include "../layers/embedding.h"
#include "../layers/linear.h"
#include "../layers/normalisation.h"
#include "bert_config.h"
#include "packed_tokens.h"
#include "pretrained.h"

namespace percale::models {

/// A token's word, its place in the text and which of two texts it is of, each as a vector: their sum.
class BertEmbeddings : public nn::ModuleOf<BertEmbeddings> {
 public:
  explicit BertEmbeddings(const BertConfig& config);
  /// [tokens, hidden]
  Tensor forward(const PackedTokens& tokens) const;

  nn::Embedding word_embeddings, position_embeddings, token_type_embeddings;
  nn::LayerNorm layer_norm;  ///< `LayerNorm`

 private:
  double eps_, dropout_;
};

/// Attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V, in several heads (Vaswani and others, 2017).
class BertSelfAttention : public nn::ModuleOf<BertSelfAttention> {
 public:
  explicit BertSelfAttention(const BertConfig& config);
  /// [tokens, hidden] to the same; each token sees those of its own sequence. With `weights`, each sequence's
  /// softmax [heads, length, length] is appended to it.
  Tensor forward(const Tensor& hidden, const PackedTokens& tokens, Tensors* weights = nullptr) const;

  nn::Linear query, key, value;

 private:
  int64_t heads_;
  double dropout_;
};

/// LayerNorm(input + dropout(dense(x))): how each half of a layer ends.
class BertSelfOutput : public nn::ModuleOf<BertSelfOutput> {
 public:
  BertSelfOutput(const BertConfig& config, int64_t in_features);
  Tensor forward(const Tensor& x, const Tensor& input) const;

  nn::Linear dense;
  nn::LayerNorm layer_norm;  ///< `LayerNorm`

 private:
  double dropout_;
};
using BertOutput = BertSelfOutput;

class BertAttention : public nn::ModuleOf<BertAttention> {
 public:
  explicit BertAttention(const BertConfig& config);
  Tensor forward(const Tensor& hidden, const PackedTokens& tokens, Tensors* weights = nullptr) const;

  BertSelfAttention self;
  BertSelfOutput output;
};

/// gelu(dense(x)), four times as wide.
class BertIntermediate : public nn::ModuleOf<BertIntermediate> {
 public:
  explicit BertIntermediate(const BertConfig& config);
  Tensor forward(const Tensor& x) const;

  nn::Linear dense;

 private:
  GeluApproximation approximation_;
};

class BertLayer : public nn::ModuleOf<BertLayer> {
 public:
  explicit BertLayer(const BertConfig& config);
  Tensor forward(const Tensor& hidden, const PackedTokens& tokens, Tensors* weights = nullptr) const;

  BertAttention attention;
  BertIntermediate intermediate;
  BertOutput output;
};

class BertEncoder : public nn::ModuleOf<BertEncoder> {
 public:
  explicit BertEncoder(const BertConfig& config);

  std::vector<BertLayer> layer;
};

/// tanh(dense(the first token's state))
class BertPooler : public nn::ModuleOf<BertPooler> {
 public:
  explicit BertPooler(const BertConfig& config);
  /// [tokens, hidden] to [sequences, hidden].
  Tensor forward(const Tensor& hidden, const PackedTokens& tokens) const;

  nn::Linear dense;
};

/// What of a forward is wanted beside the last hidden state.
struct BertForwardOptions {
  bool pooler_output = true;   ///< if the model has a pooler
  bool hidden_states = false;  ///< of the embeddings and of each layer
  bool attentions = false;     ///< by the slow way, which keeps them
};

/// Of packed tokens: [tokens, hidden] throughout, a sequence behind the other. Of a padded batch: [batch, length,
/// hidden], with zeros where the mask is 0.
struct BertResult {
  Tensor last_hidden_state;
  Tensor pooler_output;   ///< [sequences, hidden]; undefined without a pooler
  Tensors hidden_states;  ///< layers + 1 of them, the embeddings first
  /// A tensor a layer, [batch, heads, length, length], for a padded batch; for packed tokens one for each layer and in
  /// it each sequence, [heads, length, length].
  Tensors attentions;
};

/// For a model of which BERT is a part, such as BertForSequenceClassification (prefix `bert.`, others
/// `classifier.weight` and `classifier.bias`, more `{"id2label": {"0": "news", "1": "joke"}}`).
struct BertSaveOptions {
  std::string architecture = "BertModel";
  std::string prefix = "";
  nn::StateDict others = {};
  std::string more_config = "{}";  ///< a JSON object whose fields go into config.json too
};

/// The first row of each sequence, [sequences, width] of x [tokens, width].
Tensor first_tokens(const Tensor& x, const PackedTokens& tokens);

/// The encoder. A cheap handle, as every module; `forward` is safe from many threads while nobody changes the model.
///
///     const auto model = models::Bert::from_pretrained("bert-base-uncased");
///     const auto tokenizer = language::WordPiece::from_pretrained(model.folder());
///     const auto encoding = tokenizer({"Hello, how are you?", "A second text"});
///     const auto result = model(encoding.input_ids, encoding.attention_mask);
///     std::cout << result.last_hidden_state;   // [2, 8, 768]
///
/// Nothing is padded inside: a batch is packed by its mask, computed token by token and, for the result, unpacked. So
/// what a sequence becomes does not depend, not in a byte, on what stands beside it, on padding or on threads; in fp32
/// nor on whether the processor has AVX2 or AVX-512.
class Bert : public nn::ModuleOf<Bert> {
 public:
  /// With random weights (normal, `initializer_range`, from the current seed), in eval mode as `from_pretrained`.
  explicit Bert(const BertConfig& config, bool with_pooler = true);

  /// From a folder with config.json and model.safetensors, or from a model id (`bert-base-uncased`,
  /// `sentence-transformers/all-MiniLM-L6-v2`): see `pretrained_folder`. In eval mode, f32 whatever the file holds.
  ///
  /// Names with or without `bert.`; `gamma` and `beta` as well as `weight` and `bias`; without a pooler. Tensors that
  /// have no place here (`cls.predictions.bias`) are passed over, and named to `options.warn`. Errors name file, field
  /// or tensor, what was expected and what was found.
  static Bert from_pretrained(const std::string& folder_or_id, const PretrainedOptions& options = {});

  /// ids i64 [batch, length] to [batch, length, hidden]. `mask` i64 or bool, 1 for a token and 0 for none (undefined:
  /// all are); `types` i64, 0 or 1 (undefined: all 0). A row without a token is an error, as is an id out of range.
  BertResult forward(const Tensor& ids, const Tensor& mask = {}, const Tensor& types = {},
                     const BertForwardOptions& options = {}) const;
  /// The same on packed tokens, which is how training and the sentence encoder call it.
  BertResult forward(const PackedTokens& tokens, const BertForwardOptions& options = {}) const;

  /// The same from a config.json and a model.safetensors, wherever they lie.
  static Bert from_files(const io::Source& config, const io::Source& weights, const PretrainedOptions& options = {});
  /// Writes config.json and model.safetensors, as transformers reads them. The folder is made if it is not there; each
  /// file appears whole or not at all.
  void save_pretrained(const std::string& folder, const BertSaveOptions& options = {}) const;

  const BertConfig& config() const { return config_; }
  /// Where it was loaded from; empty for random weights.
  const std::string& folder() const { return folder_; }

  BertEmbeddings embeddings;
  BertEncoder encoder;
  std::optional<BertPooler> pooler;

 private:
  Bert(const BertConfig& config, bool with_pooler, const nn::init::SkipGuard& skip);

  BertConfig config_;
  std::string folder_;
};

}  // namespace percale::models
