// What learns: a head on vectors computed once, an encoder with its head, or a bag of pieces.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flags.h"

namespace percale::apps {

/// Numbers of texts, i64 [N] on the device, to probabilities [N, 1]; with history where that is recorded.
using Answers = std::function<Tensor(const Tensor& rows)>;

struct Classifier {
  nn::Module module;  ///< what learns, and what --save writes
  std::unique_ptr<optim::Optimizer> optimizer;
  /// Makes of texts what can be computed once: vectors, or ids.
  std::function<Answers(const std::vector<std::string>& texts)> read;
  /// What --export writes.
  std::function<void(const std::string& folder)> save = {};
};

Classifier make_classifier(const HumorFlags& flags, const Settings& settings);
/// The same of the BERT that --model names.
Classifier make_encoder_classifier(const HumorFlags& flags, const Settings& settings);

/// The learning rate when an encoder learns along: up from 0 in the first tenth of the steps, then down to 0, both in a
/// line; nothing otherwise.
std::unique_ptr<optim::Schedule> make_schedule(optim::Optimizer& optimizer, int64_t steps, const HumorFlags& flags);

}  // namespace percale::apps
