#include "sentence_encoder.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <mutex>
#include <numeric>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../core/precision.h"
#include "../../core/trace.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/embedding_bag/embedding_bag.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/matmul/matmul.h"
#include "../../kernels/nearest_neighbours/nearest_neighbours.h"
#include "../../kernels/reduction/reduction.h"
#include "../text/unicode.h"

namespace percale::models {
namespace {

constexpr std::pair<SentencePooling, const char*> pooling_names[] = {
    {SentencePooling::cls, "cls"}, {SentencePooling::mean, "mean"}, {SentencePooling::max, "max"}};
constexpr const char* activation_names[] = {"identity", "tanh", "relu", "gelu", "sigmoid"};

/// Sentences that are tokenised at a time, while those before them are computed.
constexpr size_t window = 8'192;

std::string lowered(std::string_view text) {
  const std::string whole = language::unicode::repair(text).text;
  std::string result;
  for (const char *at = whole.data(), *end = at + whole.size(); at < end;) {
    for (const char32_t code : language::unicode::lower(language::unicode::decode(at))) {
      char bytes[4];
      result.append(bytes, language::unicode::encode(code, bytes));
    }
  }
  return result;
}

/// Each row divided by its length; zeros stay zeros.
Tensor normalized(const Tensor& x) { return x / maximum(sqrt(sum(x * x, {1}, true)), 1e-12); }

Tensor pooled(const Tensor& states, const PackedTokens& tokens, SentencePooling how) {
  if (how == SentencePooling::cls) return first_tokens(states, tokens);
  const Tensor every = arange(tokens.tokens(), {i64, states.device()});
  return embedding_bag(
      states, every, tokens.offsets,
      {.mode = how == SentencePooling::mean ? BagMode::mean : BagMode::max, .include_last_offset = true});
}

/// The sentences of a window in the order in which they are computed, longest first, and where batches begin in it.
struct Batches {
  std::vector<int64_t> order, starts;

  Batches(const Tensor& offsets, int64_t most_tokens) {
    const auto at = offsets.span<int64_t>();
    const auto length = [&](int64_t i) { return at[static_cast<size_t>(i) + 1] - at[static_cast<size_t>(i)]; };
    order.resize(at.size() - 1);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return length(a) > length(b); });
    int64_t tokens = most_tokens;
    for (size_t i = 0; i < order.size(); ++i) {
      if (tokens + length(order[i]) > most_tokens) starts.push_back(static_cast<int64_t>(i)), tokens = 0;
      tokens += length(order[i]);
    }
    starts.push_back(static_cast<int64_t>(order.size()));
  }
};

/// The sentences that `order` names, of those in `packed`.
PackedTokens gathered(const language::PackedEncoding& packed, std::span<const int64_t> order) {
  const auto starts = packed.starts.span<int64_t>();
  std::vector<int64_t> offsets = {0};
  for (const int64_t i : order)
    offsets.push_back(offsets.back() + starts[static_cast<size_t>(i) + 1] - starts[static_cast<size_t>(i)]);
  const Tensor ids = Tensor::empty({offsets.back()}, {i64, cpu_device});
  const Tensor places = Tensor::empty({static_cast<int64_t>(offsets.size())}, {i64, cpu_device});
  std::copy(offsets.begin(), offsets.end(), places.data<int64_t>());
  for (size_t i = 0; i < order.size(); ++i)
    std::copy_n(packed.input_ids.data<int64_t>() + starts[static_cast<size_t>(order[i])], offsets[i + 1] - offsets[i],
                ids.data<int64_t>() + offsets[i]);
  return PackedTokens::from(ids, places);
}

/// Tokens of a batch. On the CPU few, so that what lies between the layers stays in a core's cache, and a batch for
/// each thread; but all in one where that would leave a thread idle: then threads share each product.
int64_t batch_of(const language::PackedEncoding& packed, Device device) {
  constexpr int64_t least = 64, most = 512, all = 1'024;
  if (!device.is_cpu()) return 65'536;
  const int64_t share = packed.input_ids.numel() / (8 * cpu::num_threads());
  return share < least ? all : std::min(share, most);
}

/// Whether batches are computed at once, a thread each: not where hooks look on, which may not be ready for that.
bool computes_several(const SentenceEncoder& encoder) {
  if (!encoder.device().is_cpu()) return false;
  const auto modules = encoder.named_modules();
  return std::none_of(modules.begin(), modules.end(), [](const auto& part) { return part.second.has_hooks(); });
}

}  // namespace

SentencePooling pooling_named(const std::string& name) {
  for (const auto& [pooling, known] : pooling_names)
    if (name == known) return pooling;
  fail("SentenceEncoder", "a pooling must be cls, mean or max, got {}", {name});
}

std::string name_of(SentencePooling pooling) { return pooling_names[static_cast<int>(pooling)].second; }

SentenceDense::SentenceDense(int64_t in_features, int64_t out_features, bool bias, const std::string& activation)
    : linear(add("linear", nn::Linear(in_features, out_features, {.bias = bias}))), activation(activation) {
  require(std::find(std::begin(activation_names), std::end(activation_names), activation) != std::end(activation_names),
          "SentenceDense", "an activation must be identity, tanh, relu, gelu or sigmoid, got {}", activation);
}

Tensor SentenceDense::forward(const Tensor& x) const {
  const Tensor result = linear(x);
  if (activation == "tanh") return tanh(result);
  if (activation == "relu") return relu(result);
  if (activation == "gelu") return gelu(result);
  return activation == "sigmoid" ? sigmoid(result) : result;
}

SentenceEncoder::SentenceEncoder(Bert bert, language::WordPiece tokenizer, const SentenceEncoderOptions& options,
                                 std::vector<SentenceDense> dense)
    : bert(add("bert", std::move(bert))), tokenizer_(std::move(tokenizer)), options_(options) {
  const BertConfig& config = this->bert.config();
  require(tokenizer_.vocabulary_size() <= config.vocab_size, "SentenceEncoder",
          "the tokenizer has {} pieces, more than the {} rows of the model's embedding", tokenizer_.vocabulary_size(),
          config.vocab_size);
  require(options.max_seq_length == 0 || options.max_seq_length >= 3, "SentenceEncoder",
          "max_seq_length must be 0 or at least 3, got {}", options.max_seq_length);
  if (options_.max_seq_length == 0) options_.max_seq_length = config.max_position_embeddings;
  options_.max_seq_length = std::min(options_.max_seq_length, config.max_position_embeddings);
  struct ModuleList : nn::ModuleOf<ModuleList> {};
  const ModuleList list = dense.empty() ? ModuleList() : add("dense", ModuleList());
  int64_t width = config.hidden_size;
  for (const SentenceDense& layer : dense) {
    require(layer.linear.weight.size(1) == width, "SentenceEncoder", "a Dense module takes {} numbers, but gets {}",
            layer.linear.weight.size(1), width);
    width = layer.linear.weight.size(0);
    this->dense.push_back(list.add(std::to_string(this->dense.size()), layer));
  }
  eval();
}

int64_t SentenceEncoder::width() const {
  return dense.empty() ? bert.config().hidden_size : dense.back().linear.weight.size(0);
}

Device SentenceEncoder::device() const { return bert.embeddings.word_embeddings.weight.device(); }

Tensor SentenceEncoder::forward(const PackedTokens& tokens) const {
  return vectors_of(tokens, options_.pooling, options_.normalize);
}

Tensor SentenceEncoder::vectors_of(const PackedTokens& tokens, SentencePooling pooling, bool normalize) const {
  const BertResult result = bert(tokens, BertForwardOptions{.pooler_output = false});
  Tensor vectors = pooled(result.last_hidden_state, tokens, pooling);
  for (const SentenceDense& layer : dense) vectors = layer(vectors);
  if (vectors.dtype() != f32) vectors = vectors.to(f32);  // behind a Dense module under bf16
  return normalize ? normalized(vectors) : vectors;
}

language::PackedEncoding SentenceEncoder::encoded(std::span<const std::string> sentences, size_t first,
                                                  const SentenceEncodeOptions& options) const {
  const int64_t positions = bert.config().max_position_embeddings;
  const int64_t limit = std::min(options.max_length.value_or(options_.max_seq_length), positions);
  require(limit >= 3, "SentenceEncoder", "max_length must be at least 3, got {}", limit);
  std::vector<std::string> lower;
  if (options_.lower_case)
    for (const std::string& sentence : sentences) lower.push_back(lowered(sentence));
  const std::vector<std::string_view> views = options_.lower_case
                                                  ? std::vector<std::string_view>(lower.begin(), lower.end())
                                                  : std::vector<std::string_view>(sentences.begin(), sentences.end());
  language::EncodeOptions how;
  if (options.truncate) how.max_length = limit;
  language::PackedEncoding packed = tokenizer_.encode_packed(views, {}, how);
  const auto starts = packed.starts.span<int64_t>();
  for (size_t i = 0; !options.truncate && i + 1 < starts.size(); ++i)
    require(starts[i + 1] - starts[i] <= limit, "SentenceEncoder", "sentence {} has {} tokens, more than {}", first + i,
            starts[i + 1] - starts[i], limit);
  return packed;
}

PackedTokens SentenceEncoder::tokenize(const std::vector<std::string>& sentences,
                                       const SentenceEncodeOptions& options) const {
  const language::PackedEncoding packed = encoded(sentences, 0, options);
  if (options.truncated) *options.truncated += packed.truncated;
  return PackedTokens::from(packed.input_ids, packed.starts, packed.token_type_ids).to(device());
}

void SentenceEncoder::for_each_batch(const std::vector<std::string>& sentences, const SentenceEncodeOptions& options,
                                     const BatchBody& body) const {
  require(!training(), "SentenceEncoder", "encode needs the model in eval mode (dropout would change the vectors)");
  const std::span<const std::string> all = sentences;
  const auto tokenized = [&](size_t first) {
    return encoded(all.subspan(first, std::min(window, all.size() - first)), first, options);
  };
  const bool several = computes_several(*this);
  const Precision precision = current_precision();
  std::mutex mutex;
  std::future<language::PackedEncoding> ahead;
  int64_t done = 0;
  for (size_t first = 0; first < all.size(); first += window) {
    const language::PackedEncoding packed = first ? ahead.get() : tokenized(0);
    if (first + window < all.size()) ahead = std::async(std::launch::async, tokenized, first + window);
    if (options.truncated) *options.truncated += packed.truncated;
    const Batches batches(packed.starts, options.batch_tokens > 0 ? options.batch_tokens : batch_of(packed, device()));
    const auto compute = [&](int64_t begin_batch, int64_t end_batch) {
      const NoGradGuard no_grad;  // guards are a thread's own
      const PrecisionScope scope(precision);
      for (auto i = static_cast<size_t>(begin_batch); i < static_cast<size_t>(end_batch); ++i) {
        const auto begin = static_cast<size_t>(batches.starts[i]), end = static_cast<size_t>(batches.starts[i + 1]);
        const std::span<const int64_t> order(&batches.order[begin], end - begin);
        body(gathered(packed, order).to(device()), order, first);
        const std::lock_guard lock(mutex);
        done += static_cast<int64_t>(order.size());
        if (options.progress) options.progress(done, static_cast<int64_t>(all.size()));
      }
    };
    const int64_t count = std::ssize(batches.starts) - 1;
    if (several)
      cpu::parallel_for(count, 1, compute);
    else
      compute(0, count);
  }
}

Tensor SentenceEncoder::encode(const std::vector<std::string>& sentences, const SentenceEncodeOptions& options) const {
  const Operation operation{"encode"};
  const int64_t columns = width();
  const Tensor result = Tensor::empty({static_cast<int64_t>(sentences.size()), columns});
  const SentencePooling pooling = options.pooling.value_or(options_.pooling);
  const bool normalize = options.normalize.value_or(options_.normalize);
  for_each_batch(sentences, options, [&](const PackedTokens& tokens, std::span<const int64_t> order, size_t first) {
    const Tensor vectors = vectors_of(tokens, pooling, normalize).to(cpu_device).contiguous();
    for (size_t i = 0; i < order.size(); ++i)
      std::memcpy(result.data<float>() + (static_cast<int64_t>(first) + order[i]) * columns,
                  vectors.data<float>() + static_cast<int64_t>(i) * columns,
                  static_cast<size_t>(columns) * sizeof(float));
  });
  return result;
}

Tensor SentenceEncoder::encode(const std::string& sentence, const SentenceEncodeOptions& options) const {
  return encode(std::vector<std::string>{sentence}, options)[0];
}

Tensors SentenceEncoder::encode_tokens(const std::vector<std::string>& sentences, const SentenceEncodeOptions& options,
                                       int64_t layer) const {
  const int64_t layers = bert.config().num_hidden_layers, number = layer < 0 ? layers + 1 + layer : layer;
  require(number >= 0 && number <= layers, "SentenceEncoder", "layer must be from {} to {}, got {}", -layers - 1,
          layers, layer);
  Tensors result(sentences.size());
  for_each_batch(sentences, options, [&](const PackedTokens& tokens, std::span<const int64_t> order, size_t first) {
    const BertForwardOptions wants{.pooler_output = false, .hidden_states = number < layers};
    const BertResult states = bert(tokens, wants);
    const Tensor chosen =
        (number < layers ? states.hidden_states[static_cast<size_t>(number)] : states.last_hidden_state).to(cpu_device);
    const Tensor offsets = tokens.offsets.to(cpu_device);
    for (size_t i = 0; i < order.size(); ++i)
      result[first + static_cast<size_t>(order[i])] =
          chosen.slice(0, offsets.data<int64_t>()[i], offsets.data<int64_t>()[i + 1]).clone();
  });
  return result;
}

Tensor SentenceEncoder::similarity(const Tensor& a, const Tensor& b) {
  require(a.rank() == 2 && b.rank() == 2 && a.size(1) == b.size(1), "similarity",
          "needs [n, width] and [m, width], got {} and {}", a.shape(), b.shape());
  return matmul(normalized(a), normalized(b).t());
}

Tensor SentenceEncoder::pairwise_similarity(const Tensor& a, const Tensor& b) {
  require(a.rank() == 2 && a.shape() == b.shape(), "similarity", "needs two tensors [n, width], got {} and {}",
          a.shape(), b.shape());
  return sum(normalized(a) * normalized(b), {1});
}

std::pair<Tensor, Tensor> SentenceEncoder::search(const Tensor& queries, const Tensor& corpus, int64_t k) {
  return nearest_neighbours(queries, corpus, k, Similarity::cosine);
}

}  // namespace percale::models
