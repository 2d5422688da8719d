// What bert_embed does with texts: embeds them, shows them, compares them, writes them.
#pragma once

#include "../program/encoder.h"
#include "flags.h"

namespace percale::apps {

/// A line a text: 101 7592 1010 ... 102. As a tokenizer alone: the model's limit cuts nothing, --max-length does.
void print_ids(const language::WordPiece& tokenizer, const std::vector<std::string>& texts, const EmbedFlags& flags,
               const Settings& settings);
/// A line a text: [CLS] hello , how are you ? [SEP]
void print_tokens(const language::WordPiece& tokenizer, const std::vector<std::string>& texts);

/// f32 on the CPU: a vector a token [texts, length, hidden], with zeros behind shorter texts, or a vector a text
/// [texts, width].
Tensor embed(const models::SentenceEncoder& encoder, const std::vector<std::string>& texts, const EmbedFlags& flags,
             const Settings& settings);

/// Shape and values, as the tutorial prints them.
void print(const Tensor& embeddings);
/// The cosines of all texts with all.
void print_similarity(const Tensor& embeddings);
/// The texts nearest to --search by cosine.
void search(const models::SentenceEncoder& encoder, const std::vector<std::string>& texts, const Tensor& embeddings,
            const EmbedFlags& flags, const Settings& settings);
/// By the ending of `path`: NumPy, safetensors (`embeddings`), or JSON lines {"text": ..., "embedding": [...]}.
void write(const std::string& path, const std::vector<std::string>& texts, const Tensor& embeddings);

}  // namespace percale::apps
