// Sentences as vectors: a BERT, a pooling of its last hidden states, and what stands behind it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../layers/linear.h"
#include "../text/wordpiece.h"
#include "bert.h"

namespace percale::models {

/// How the states of a sentence's tokens become one vector.
enum class SentencePooling { cls, mean, max };
/// `cls`, `mean`, `max`; an error for any other name.
SentencePooling pooling_named(const std::string& name);
std::string name_of(SentencePooling pooling);

/// A layer behind the pooling: activation(linear(x)).
struct SentenceDense : nn::ModuleOf<SentenceDense> {
  SentenceDense(int64_t in_features, int64_t out_features, bool bias, const std::string& activation);
  Tensor forward(const Tensor& x) const;

  nn::Linear linear;
  std::string activation;  ///< `identity`, `tanh`, `relu`, `gelu` or `sigmoid`
};

struct SentenceEncoderOptions {
  int64_t max_seq_length = 0;  ///< tokens of a sentence, [CLS] and [SEP] counted; 0: as many as there are positions
  SentencePooling pooling = SentencePooling::mean;
  bool normalize = false;
  bool lower_case = false;  ///< before the tokenizer, which has a rule of its own
};

/// What a `modules.json` names, folders within the model's; as a plain BERT's folder has it, which has no such file.
struct SentenceModules {
  std::string transformer = "", pooling = "";
  std::vector<std::string> dense = {};
  bool normalize = false;

  /// An error names the file, the field, what was expected and what was found.
  static SentenceModules from_source(const io::Source& source);
  /// Of the Pooling module's `config.json`.
  static SentencePooling read_pooling(const io::Source& source, int64_t hidden_size);
};

/// Of one call of `encode`.
struct SentenceEncodeOptions {
  int64_t batch_tokens = 0;                     ///< tokens that are computed together; 0: what suits the device
  std::optional<bool> normalize = {};           ///< else as the model's
  std::optional<SentencePooling> pooling = {};  ///< else as the model's
  std::optional<int64_t> max_length = {};       ///< else the model's max_seq_length
  bool truncate = true;                         ///< false: a longer sentence is an error that names it
  /// Told how many sentences are done, batch by batch, by one thread at a time.
  std::function<void(int64_t done, int64_t total)> progress = {};
  int64_t* truncated = nullptr;  ///< gains the number of sentences that were cut
};

/// Sentence-BERT: Reimers and Gurevych, 2019 (arXiv:1908.10084). A folder that sentence-transformers reads, or a plain
/// BERT's (then the mean of the last hidden states, not normalised).
///
///     const auto encoder = models::SentenceEncoder::from_pretrained("all-MiniLM-L6-v2");
///     const Tensor vectors = encoder.encode({"A man is eating food.", "A man eats something."});
///     std::cout << encoder.similarity(vectors, vectors);
///
/// A sentence's vector has the same bytes alone and among others, in any order, at any batch size and number of
/// threads. A cheap handle; `encode` is safe from many threads at once.
class SentenceEncoder : public nn::ModuleOf<SentenceEncoder> {
 public:
  SentenceEncoder(Bert bert, language::WordPiece tokenizer, const SentenceEncoderOptions& options = {},
                  std::vector<SentenceDense> dense = {});
  /// As Bert::from_pretrained, with modules.json, pooling, Dense modules, max_seq_length and the tokenizer. Errors name
  /// the file, the field, what was expected and what was found.
  static SentenceEncoder from_pretrained(const std::string& folder_or_id, const PretrainedOptions& options = {});

  /// f32 [sentences, width] on the CPU. Sorted by length inside, without padding, tokenised a batch ahead.
  Tensor encode(const std::vector<std::string>& sentences, const SentenceEncodeOptions& options = {}) const;
  /// One sentence: f32 [width].
  Tensor encode(const std::string& sentence, const SentenceEncodeOptions& options = {}) const;
  /// The last hidden state of each sentence's tokens, f32 [length, hidden] on the CPU; of another layer with `layer`
  /// (0: the embeddings; -1: the last).
  Tensors encode_tokens(const std::vector<std::string>& sentences, const SentenceEncodeOptions& options = {},
                        int64_t layer = -1) const;

  /// What a step of training calls: tokens to vectors [sentences, width] on the model's device, with history, dropout
  /// in training mode.
  Tensor forward(const PackedTokens& tokens) const;
  /// Sentences as `forward` takes them, on the model's device.
  PackedTokens tokenize(const std::vector<std::string>& sentences, const SentenceEncodeOptions& options = {}) const;

  /// Cosines [n, m] of the rows of a [n, width] and b [m, width]. For the nearest alone: `nearest_neighbours`.
  static Tensor similarity(const Tensor& a, const Tensor& b);
  /// Cosines [n] of the rows of a with those of b in their places.
  static Tensor pairwise_similarity(const Tensor& a, const Tensor& b);
  /// For each query the `k` vectors of `corpus` with the largest cosine, in order: cosines and rows, [queries, k] each.
  static std::pair<Tensor, Tensor> search(const Tensor& queries, const Tensor& corpus, int64_t k);

  /// Writes a folder that sentence-transformers reads, and transformers too.
  void save_pretrained(const std::string& folder) const;

  const language::WordPiece& tokenizer() const { return tokenizer_; }
  const SentenceEncoderOptions& options() const { return options_; }
  int64_t width() const;  ///< of a vector
  Device device() const;

  Bert bert;
  std::vector<SentenceDense> dense;

 private:
  /// Takes a batch, the sentences of which it is made, counted within their window, and where that begins.
  using BatchBody = std::function<void(const PackedTokens& tokens, std::span<const int64_t> order, size_t first)>;

  Tensor vectors_of(const PackedTokens& tokens, SentencePooling pooling, bool normalize) const;
  language::PackedEncoding encoded(std::span<const std::string> sentences, size_t first,
                                   const SentenceEncodeOptions& options) const;
  void for_each_batch(const std::vector<std::string>& sentences, const SentenceEncodeOptions& options,
                      const BatchBody& body) const;

  language::WordPiece tokenizer_;
  SentenceEncoderOptions options_;
};

}  // namespace percale::models
