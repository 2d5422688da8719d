// Steps of word vectors on words as a text has them: few of them often, most of them hardly ever.
#include <algorithm>
#include <cmath>

#include "case.h"

namespace percale::bench {
namespace {

constexpr int64_t dictionary = 20'000, words_a_step = 32'768;

/// Word r with a count that goes by 1 / (r + 1), as of a text of two million words.
language::Vocabulary zipf_vocabulary() {
  language::WordCounts counts;
  double sum = 0;
  for (int64_t r = 0; r < dictionary; ++r) sum += 1 / static_cast<double>(r + 1);
  for (int64_t r = 0; r < dictionary; ++r)
    counts.words.emplace_back(std::to_string(r),
                              static_cast<uint64_t>(std::ceil(2e6 / sum / static_cast<double>(r + 1))));
  return language::Vocabulary(std::move(counts));
}

/// A text whose words are drawn by their counts.
Tensor drawn_text(const language::Vocabulary& vocabulary, Device device) {
  std::vector<double> until;
  double sum = 0;
  for (int64_t r = 0; r < vocabulary.others(); ++r) until.push_back(sum += static_cast<double>(vocabulary.count(r)));
  const Tensor drawn = rand({words_a_step}, {f64, cpu_device});
  std::vector<int32_t> text;
  for (const double at : drawn.span<double>()) {
    const auto word = std::upper_bound(until.begin(), until.end(), at * sum) - until.begin();
    text.push_back(static_cast<int32_t>(std::min<int64_t>(vocabulary.others() - 1, word)));
  }
  return from_vector(text, {words_a_step}, device);
}

/// Of a step: each kept centre draws 1 to `window` as its reach, on both sides; skip-gram multiplies each word around
/// it with the centre and the noise, and adds as many rows to either table, CBOW does so with the words' mean alone.
double operations_of(const models::Word2VecOptions& options, double kept) {
  const auto width = static_cast<double>(options.width), around = static_cast<double>(options.step.window + 1),
             outputs = static_cast<double>(options.step.negative + 1);
  const double rows =
      options.step.model == WordModel::cbow ? 2 * around + 3 * outputs : 3 * around * outputs;  // multiply-adds of rows
  return 2 * width * kept * rows;
}

/// What subsampling leaves of the text, on average.
double kept_of(const language::Vocabulary& vocabulary, const Tensor& text, double sample) {
  std::vector<int64_t> counts;
  for (int64_t r = 0; r < vocabulary.others(); ++r) counts.push_back(static_cast<int64_t>(vocabulary.count(r)));
  const WordSampler sampler = word_sampler(from_vector(counts, {vocabulary.others()}), sample);
  double kept = 0;
  for (const int32_t word : text.to(cpu_device).span<int32_t>()) kept += sampler.keep.data<float>()[word];
  return kept;
}

Case word2vec(Device device, models::Word2VecOptions options) {
  const bool mean = options.step.model == WordModel::cbow;
  std::string name = mean ? "cbow." : "skip_gram.";
  name.append(std::to_string(options.width)).append(options.step.fast ? ".fast" : "");
  auto prepare = [=] {
    const language::Vocabulary vocabulary = zipf_vocabulary();
    const models::Word2Vec model = models::Word2Vec(vocabulary, options).to(device);
    const Tensor text = drawn_text(vocabulary, device);
    const double first = model.learn(text).item<double>();
    const auto loss = std::make_shared<Tensor>();
    auto call = [=] { *loss = model.learn(text); };
    auto check = [=] {
      const double last = loss->item<double>();
      char line[64];
      std::snprintf(line, sizeof line, "%sloss %.2f, then %.2f", last < first ? "" : "WRONG: ", first, last);
      return std::string(line);
    };
    return Prepared{.call = call,
                    .check = check,
                    .operations = operations_of(options, kept_of(vocabulary, text, options.sample)),
                    .words = words_a_step};
  };
  return {name, prepare};
}

}  // namespace

std::vector<Case> word_cases(Device device) {
  std::vector<Case> cases;
  for (const int64_t width : {int64_t{128}, int64_t{300}}) {
    cases.push_back(word2vec(device, {.width = width}));
    if (device.is_cpu()) cases.push_back(word2vec(device, {.width = width, .step = {.fast = true}}));
  }
  cases.push_back(word2vec(device, {.step = {.model = WordModel::cbow}}));
  return cases;
}

}  // namespace percale::bench
