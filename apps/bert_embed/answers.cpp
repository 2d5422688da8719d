#include "answers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

namespace percale::apps {
namespace {

/// The vectors of a text's tokens [length, width] as one: as SentenceEncoder pools the last layer's.
Tensor pooled(const Tensor& tokens, models::SentencePooling pooling) {
  if (pooling == models::SentencePooling::cls) return tokens[0];
  return pooling == models::SentencePooling::mean ? mean(tokens, {0}) : max(tokens, {0});
}

/// Each row of the last dimension divided by its length.
Tensor normalized(const Tensor& x) { return x / maximum(sqrt(sum(x * x, {-1}, true)), 1e-12); }

Tensor padded(const Tensors& tokens) {
  int64_t longest = 0;
  for (const Tensor& text : tokens) longest = std::max(longest, text.size(0));
  const Tensor result = zeros({std::ssize(tokens), longest, tokens.front().size(1)});
  for (int64_t i = 0; i < std::ssize(tokens); ++i) {
    const Tensor& text = tokens[static_cast<size_t>(i)];
    result[i].slice(0, 0, text.size(0)).copy_(text);
  }
  return result;
}

/// Vectors of texts [texts, width], or of their tokens [texts, length, width].
Tensor vectors_of(const models::SentenceEncoder& encoder, const std::vector<std::string>& texts,
                  const EmbedFlags& flags, const models::SentenceEncodeOptions& options) {
  if (flags.shows_tokens()) return padded(encoder.encode_tokens(texts, options, flags.layer));
  const auto pooling = flags.pooling.empty() ? encoder.options().pooling : models::pooling_named(flags.pooling);
  if (flags.layer < 0) {
    models::SentenceEncodeOptions how = options;
    how.pooling = pooling;
    return encoder.encode(texts, how);
  }
  Tensors rows;
  for (const Tensor& tokens : encoder.encode_tokens(texts, options, flags.layer))
    rows.push_back(pooled(tokens.to(f32), pooling).unsqueeze(0));
  return cat(rows);
}

/// Along the `count` directions in which the vectors differ most.
Tensor reduced(const models::SentenceEncoder& encoder, const Tensor& vectors, const EmbedFlags& flags) {
  if (flags.reduce > vectors.size(1))
    throw Error("--reduce " + std::to_string(flags.reduce) + ": a vector has only " + std::to_string(vectors.size(1)) +
                " numbers");
  Tensor all = vectors;
  if (vectors.size(0) <= flags.reduce)
    all = cat({vectors, vectors_of(encoder, data::shipped_texts().texts, flags, {})});
  return picture::principal_components(all, flags.reduce).project(vectors);
}

std::string json_of(const Tensor& x) {
  std::string text = "[";
  for (int64_t i = 0; i < x.size(0); ++i) {
    if (i) text += ",";
    if (x.rank() > 1) {
      text += json_of(x[i]);
      continue;
    }
    char digits[32];
    const float value = x.data<float>()[i];
    text += std::isfinite(value) ? std::string(digits, std::to_chars(digits, std::end(digits), value).ptr) : "null";
  }
  return text + "]";
}

}  // namespace

void print_ids(const language::WordPiece& tokenizer, const std::vector<std::string>& texts, const EmbedFlags& flags,
               const Settings& settings) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto packed = tokenizer.encode_packed(views, {}, {.max_length = flags.no_truncate ? 0 : flags.max_length});
  const int64_t* ids = packed.input_ids.data<int64_t>();
  const auto starts = packed.starts.span<int64_t>();
  for (size_t i = 0; i < texts.size(); ++i) {
    if (flags.no_truncate && flags.max_length > 0 && starts[i + 1] - starts[i] > flags.max_length)
      throw Error("text " + text(i) + " has " + text(starts[i + 1] - starts[i]) + " tokens, more than " +
                  text(flags.max_length));
    for (int64_t at = starts[i]; at < starts[i + 1]; ++at) std::cout << (at == starts[i] ? "" : " ") << ids[at];
    std::cout << '\n';
  }
  note_truncated(packed.truncated, texts.size(), flags.max_length, settings);
}

void print_tokens(const language::WordPiece& tokenizer, const std::vector<std::string>& texts) {
  for (const std::string& each : texts) {
    const char* space = "";
    for (const int64_t id : tokenizer.ids(each)) std::cout << std::exchange(space, " ") << tokenizer.token(id);
    std::cout << '\n';
  }
}

Tensor embed(const models::SentenceEncoder& encoder, const std::vector<std::string>& texts, const EmbedFlags& flags,
             const Settings& settings) {
  const TraceRange range("embed");
  train::ProgressBar bar(std::ssize(texts), {.unit = "texts", .enabled = !settings.quiet});
  bar.start();
  int64_t truncated = 0;
  models::SentenceEncodeOptions options{.truncate = !flags.no_truncate,
                                        .progress =
                                            [&](int64_t done, int64_t) {
                                              if (bar.is_due()) bar.show(done, NAN);
                                            },
                                        .truncated = &truncated};
  if (flags.max_length > 0) options.max_length = flags.max_length;
  Tensor vectors = vectors_of(encoder, texts, flags, options);
  bar.clear();
  const int64_t most = flags.max_length > 0 ? std::min(flags.max_length, encoder.bert.config().max_position_embeddings)
                                            : encoder.options().max_seq_length;
  note_truncated(truncated, texts.size(), most, settings);
  if (flags.reduce > 0) vectors = reduced(encoder, vectors, flags);
  return flags.normalize ? normalized(vectors) : vectors;
}

void print(const Tensor& embeddings) { std::cout << embeddings.shape() << '\n' << embeddings.squeeze() << '\n'; }

void print_similarity(const Tensor& embeddings) {
  std::cout << models::SentenceEncoder::similarity(embeddings, embeddings) << '\n';
}

void search(const models::SentenceEncoder& encoder, const std::vector<std::string>& texts, const Tensor& embeddings,
            const EmbedFlags& flags, const Settings& settings) {
  const Tensor query = embed(encoder, {flags.search}, flags, settings);
  const auto [cosines, rows] =
      models::SentenceEncoder::search(query, embeddings, std::min(flags.top, embeddings.size(0)));
  for (int64_t i = 0; i < rows.numel(); ++i)
    std::printf("%7.4f  %s\n", cosines.data<float>()[i], texts[static_cast<size_t>(rows.data<int64_t>()[i])].c_str());
}

void write(const std::string& path, const std::vector<std::string>& texts, const Tensor& embeddings) {
  if (path.ends_with(".npy")) return io::save_npy(path, embeddings);
  if (path.ends_with(".safetensors")) return io::save_safetensors(path, {{"embeddings", embeddings}});
  io::AtomicFile file(path);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string words = nlohmann::json(texts[i]).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    file.write("{\"text\":" + words + ",\"embedding\":");
    file.write(json_of(embeddings[static_cast<int64_t>(i)]));
    file.write("}\n");
  }
  file.commit();
}

}  // namespace percale::apps
