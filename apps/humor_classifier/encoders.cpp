// Classifiers on the vectors of a BERT: computed once and kept, or learning along.
#include <percale/nn/data/sha256.h>

#include "../program/encoder.h"
#include "classifier.h"

namespace percale::apps {
namespace {

constexpr const char* head_file = "/head.safetensors";

models::SentenceEncoder load(const HumorFlags& flags, const Settings& settings) {
  const models::SentenceEncoder loaded = load_encoder(flags.model, settings);
  models::SentenceEncoderOptions options = loaded.options();
  if (!flags.pooling.empty()) options.pooling = models::pooling_named(flags.pooling);
  if (flags.max_length > 0) options.max_seq_length = flags.max_length;
  if (flags.is_fine_tuned()) options.normalize = false;  // a head that learns along sees the vectors as they are
  return {loaded.bert, loaded.tokenizer(), options, loaded.dense};
}

/// The head that --export wrote, where the model has one.
void load_head(const nn::Linear& linear, const HumorFlags& flags) {
  if (flags.has_head()) linear.load_state_dict(io::load_safetensors(flags.model + head_file).tensors);
}

auto saver(const models::SentenceEncoder& encoder, const nn::Linear& linear) {
  return [=](const std::string& folder) {
    encoder.save_pretrained(folder);
    io::save_safetensors(folder + head_file, linear.state_dict());
  };
}

/// Everything that decides the vectors of `texts`.
std::string key_of(const models::SentenceEncoder& encoder, const std::vector<std::string>& texts,
                   const HumorFlags& flags, const Settings& settings) {
  const models::SentenceEncoderOptions& options = encoder.options();
  data::Sha256 sum;
  sum.add(text(version()) + "\n" + data::sha256_of_model(encoder.bert.folder()) + "\n" +
          models::name_of(options.pooling) + "\n" + text(options.max_seq_length) + "\n" + text(options.normalize) +
          "\n" + text(settings.device) + "\n" + text(settings.precision) + "\n" + text(flags.no_truncate) + "\n");
  for (const std::string& each : texts) {
    sum.add(text(each.size()) + "\n");
    sum.add(each);
  }
  return sum.finish();
}

/// f32 [texts, width], read from the cache or computed for it.
Tensor vectors_of(const models::SentenceEncoder& encoder, const std::vector<std::string>& texts,
                  const HumorFlags& flags, const Settings& settings) {
  int64_t truncated = 0;
  const auto compute = [&] {
    train::ProgressBar bar(std::ssize(texts), {.unit = "texts", .enabled = !settings.quiet});
    bar.start();
    const auto progress = [&](int64_t done, int64_t) {
      if (bar.is_due()) bar.show(done, NAN);
    };
    return encoder.encode(texts, {.truncate = !flags.no_truncate, .progress = progress, .truncated = &truncated});
  };
  constexpr size_t few = 100;  // not worth a file
  const bool keeps = flags.model != "random" && texts.size() > few;
  const data::Cached vectors = keeps ? data::cached("vectors", key_of(encoder, texts, flags, settings),
                                                    {std::ssize(texts), encoder.width()}, compute)
                                     : data::Cached{.value = compute()};
  note_truncated(truncated, texts.size(), encoder.options().max_seq_length, settings);
  if (keeps)
    note(settings, vectors.found          ? "the vectors are those of " + vectors.file
                   : vectors.file.empty() ? "the vectors are not kept: " + vectors.problem
                                          : "the vectors are kept in " + vectors.file);
  return vectors.value;
}

/// A head on vectors that are computed once: what the tutorial does.
Classifier make_head(const models::SentenceEncoder& encoder, const HumorFlags& flags, const Settings& settings) {
  const auto model = models::VectorClassifier(encoder.width()).to(settings.device);
  load_head(model.linear, flags);
  return {
      .module = model,
      .optimizer = std::make_unique<optim::Adam>(model.parameters(), optim::AdamOptions{.lr = flags.lr_or_default()}),
      .read = [=, &flags, &settings](const std::vector<std::string>& texts) -> Answers {
        const Tensor vectors = vectors_of(encoder, texts, flags, settings).to(settings.device);
        return [=](const Tensor& rows) { return model(index_select(vectors, 0, rows)); };
      },
      .save = saver(encoder, model.linear)};
}

/// AdamW as BERT is fine-tuned: no decay of biases and layer norms; the head, which begins from nothing, learns faster.
std::unique_ptr<optim::Optimizer> make_optimizer(const models::SentenceClassifier& model, double lr) {
  Tensors decayed, plain;
  for (const auto& [name, parameter] : model.encoder.named_parameters())
    if (parameter.requires_grad())
      (name.ends_with("bias") || name.find("LayerNorm") != std::string::npos ? plain : decayed).push_back(parameter);
  std::vector<optim::ParameterGroup<optim::AdamWOptions>> groups;
  for (auto& [parameters, decay] : {std::pair{&decayed, 0.01}, {&plain, 0.0}})
    if (!parameters->empty()) groups.push_back({*parameters, {.lr = lr, .weight_decay = decay}});
  groups.push_back({model.linear.parameters(), {.lr = 1e-3, .weight_decay = 0}});
  return std::make_unique<optim::AdamW>(groups);
}

/// An encoder that learns along.
Classifier make_fine_tuned(const models::SentenceEncoder& encoder, const HumorFlags& flags, const Settings& settings) {
  const auto model = models::SentenceClassifier(encoder).to(settings.device);
  load_head(model.linear, flags);
  if (flags.layers() >= 0) model.freeze_but_last(flags.layers());
  const auto tokenize = [=, &flags](const std::vector<std::string>& texts, int64_t* truncated) {
    return encoder.tokenize(texts, {.truncate = !flags.no_truncate, .truncated = truncated});
  };
  return {.module = model,
          .optimizer = make_optimizer(model, flags.lr_or_default()),
          .read = [=, &settings](const std::vector<std::string>& texts) -> Answers {
            int64_t truncated = 0;
            tokenize(texts, &truncated);  // so that what is too long is known before the first step
            note_truncated(truncated, texts.size(), encoder.options().max_seq_length, settings);
            return [=](const Tensor& rows) {
              std::vector<std::string> batch;
              const Tensor numbers = rows.to(cpu_device);
              for (const int64_t row : numbers.span<int64_t>()) batch.push_back(texts[static_cast<size_t>(row)]);
              return model(tokenize(batch, nullptr));
            };
          },
          .save = saver(encoder, model.linear)};
}

}  // namespace

Classifier make_encoder_classifier(const HumorFlags& flags, const Settings& settings) {
  const models::SentenceEncoder encoder = load(flags, settings);
  return flags.is_fine_tuned() ? make_fine_tuned(encoder, flags, settings) : make_head(encoder, flags, settings);
}

}  // namespace percale::apps
