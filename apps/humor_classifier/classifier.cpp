#include "classifier.h"

#include "../program/training.h"

namespace percale::apps {
namespace {

constexpr int64_t bag_width = 64, bag_length = 128;

Classifier make_bag(const HumorFlags& flags, const Settings& settings) {
  const language::WordPiece tokenizer = language::small_vocabulary();
  const auto model =
      models::BagClassifier(tokenizer.vocabulary_size(), bag_width, tokenizer.padding_id()).to(settings.device);
  const int64_t most = flags.max_length > 0 ? flags.max_length : bag_length;
  return {
      .module = model,
      .optimizer = std::make_unique<optim::Adam>(model.parameters(), optim::AdamOptions{.lr = flags.lr_or_default()}),
      .read = [=, &flags, &settings](const std::vector<std::string>& texts) -> Answers {
        const language::Encoding encoding = tokenizer(texts, {.max_length = most});
        if (flags.no_truncate && encoding.truncated > 0)
          throw Error(text(encoding.truncated) + " of " + text(texts.size()) + " texts have more than " + text(most) +
                      " tokens; without --no-truncate they are cut");
        note_truncated(encoding.truncated, texts.size(), most, settings);
        const Tensor ids = encoding.input_ids.to(settings.device);
        return [=](const Tensor& rows) { return model(index_select(ids, 0, rows)); };
      }};
}

}  // namespace

Classifier make_classifier(const HumorFlags& flags, const Settings& settings) {
  Classifier classifier = flags.is_bag() ? make_bag(flags, settings) : make_encoder_classifier(flags, settings);
  if (flags.only_predicts(settings) && !settings.load.empty()) load_weights(settings, classifier.module);
  return classifier;
}

std::unique_ptr<optim::Schedule> make_schedule(optim::Optimizer& optimizer, int64_t steps, const HumorFlags& flags) {
  if (!flags.is_fine_tuned() || steps == 0) return nullptr;
  return std::make_unique<optim::WarmupLinearLR>(optimizer, std::max<int64_t>(1, steps / 10), steps);
}

}  // namespace percale::apps
