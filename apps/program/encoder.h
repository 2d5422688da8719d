// The encoder that --model names, with what is said of it while it is looked for.
#pragma once

#include <string>

#include "program.h"

namespace percale::apps {

/// On the settings' device, in eval mode. `model` is a folder, the id of a published model (in Hugging Face's cache,
/// else downloaded), or `random`: a BERT of bert-base's width with two layers, a small vocabulary and random weights.
models::SentenceEncoder load_encoder(const std::string& model, const Settings& settings);

/// Its tokenizer alone.
language::WordPiece load_tokenizer(const std::string& model, const Settings& settings);

}  // namespace percale::apps
