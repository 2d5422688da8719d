#include "encoder.h"

#include <unistd.h>

#include <cstdio>

namespace percale::apps {
namespace {

models::PretrainedOptions options_for(const Settings& settings) {
  models::PretrainedOptions options{.warn = [&](const std::string& line) { note(settings, line); }};
  if (!settings.quiet && isatty(STDERR_FILENO))
    options.progress = [](const std::string& file, int64_t done, int64_t total) {
      std::fprintf(stderr, "\r%s: %.1f of %.1f MB\033[K%s", file.c_str(), static_cast<double>(done) * 1e-6,
                   static_cast<double>(total) * 1e-6, done == total ? "\r\033[K" : "");
    };
  return options;
}

models::SentenceEncoder random_encoder() {
  const language::WordPiece tokenizer = language::small_vocabulary();
  models::BertConfig config;
  config.vocab_size = tokenizer.vocabulary_size();
  config.num_hidden_layers = 2;
  return {models::Bert(config), tokenizer};
}

}  // namespace

models::SentenceEncoder load_encoder(const std::string& model, const Settings& settings) {
  const auto encoder =
      model == "random" ? random_encoder() : models::SentenceEncoder::from_pretrained(model, options_for(settings));
  return encoder.to(settings.device);
}

language::WordPiece load_tokenizer(const std::string& model, const Settings& settings) {
  return model == "random"
             ? language::small_vocabulary()
             : language::WordPiece::from_pretrained(models::pretrained_folder(model, options_for(settings)));
}

}  // namespace percale::apps
