#include "answers.h"

#include <percale/nn/picture/axis.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

namespace percale::apps {
namespace {

using language::Distance;
using language::WordVectors;

Distance distance_of(const WordFlags& flags) {
  return flags.distance == "cosine" ? Distance::cosine : flags.distance == "dot" ? Distance::dot : Distance::euclidean;
}

/// As it is printed: a Euclidean distance is a distance, not its negative.
double shown(double similarity, const WordFlags& flags) {
  return flags.distance == "euclidean" ? -similarity : similarity;
}

/// The word's vector, of its own or of its pieces; an error that names the nearest spelling where there is none.
std::vector<float> vector_of(const WordVectors& vectors, const std::string& word) {
  if (const auto vector = vectors.vector_of(word)) return *vector;
  const auto first = vectors.words().begin();
  const std::vector<std::string> frequent(first, first + std::min<int64_t>(vectors.size(), 50'000));
  const std::string meant = nearest(word, frequent);
  throw Error("there is no vector for '" + word + "'" + (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

void print_list(const std::vector<WordVectors::Neighbour>& rows, const WordVectors& vectors, const WordFlags& flags) {
  for (const auto& [row, similarity] : rows)
    std::printf("    %-20s %8.4f\n", vectors.words()[static_cast<size_t>(row)].c_str(), shown(similarity, flags));
}

void answer_closer(const WordVectors& vectors, const std::vector<std::string>& words, const WordFlags& flags) {
  const std::vector<float> own = vector_of(vectors, words[0]);
  const double one = vectors.similarity(own, vector_of(vectors, words[1]), distance_of(flags));
  const double other = vectors.similarity(own, vector_of(vectors, words[2]), distance_of(flags));
  std::printf("%s is %s to %s than to %s: %s %.4f, %.4f\n", words[0].c_str(), one > other ? "closer" : "not closer",
              words[1].c_str(), words[2].c_str(), flags.distance.c_str(), shown(one, flags), shown(other, flags));
}

train::Metrics evaluate(const std::string& file, const WordVectors& vectors) {
  const std::string name = std::filesystem::path(file).filename().string();
  if (language::has_questions(file)) {
    const language::QuestionScore score = language::score_questions(file, vectors);
    const double accuracy =
        score.questions ? static_cast<double>(score.correct) / static_cast<double>(score.questions) : NAN;
    std::printf("%s: %.2f %% of %lld questions right, %lld with a missing word\n", name.c_str(), 100 * accuracy,
                static_cast<long long>(score.questions), static_cast<long long>(score.missing));
    return {{"accuracy", accuracy}, {"questions", score.questions}, {"missing", score.missing}};
  }
  const language::PairScore score = language::score_pairs(file, vectors);
  std::printf("%s: Spearman %.4f of %lld pairs, %lld with a missing word; %lld of %lld triplets in people's order\n",
              name.c_str(), score.correlation, static_cast<long long>(score.pairs),
              static_cast<long long>(score.missing), static_cast<long long>(score.in_order),
              static_cast<long long>(score.triplets));
  return {{"spearman", score.correlation},
          {"pairs", score.pairs},
          {"missing", score.missing},
          {"triplets", score.triplets},
          {"in_order", score.in_order}};
}

/// The most frequent words in the plane in which they spread most.
void draw(const std::string& path, const WordVectors& vectors) {
  const int64_t count = std::min<int64_t>(vectors.size(), 40);
  const Tensor frequent = vectors.vectors().slice(0, 0, count);
  const auto components = picture::principal_components(frequent);
  const std::vector<std::string> names(vectors.words().begin(), vectors.words().begin() + count);
  picture::save(path, picture::scatter(components.project(frequent), arange(count),
                                       {.title = "The most frequent words, from where their vectors spread most",
                                        .x_label = components.x_label(),
                                        .y_label = components.y_label(),
                                        .names = names,
                                        .size = 900}));
}

}  // namespace

void print_ids(const language::Vocabulary& vocabulary, const std::string& sentence) {
  std::string line = sentence + " -> ";
  const std::vector<int64_t> ids = vocabulary.ids(sentence);
  for (size_t i = 0; i < ids.size(); ++i) line += (i ? ", " : "") + std::to_string(ids[i]);
  std::puts(line.c_str());
}

train::Metrics answer(const WordVectors& vectors, const WordFlags& flags, const Settings& settings) {
  if (!flags.nearest.empty()) {
    vector_of(vectors, flags.nearest);
    std::printf("nearest to %s (%s):\n", flags.nearest.c_str(), flags.distance.c_str());
    print_list(vectors.nearest(flags.nearest, flags.neighbours, distance_of(flags)), vectors, flags);
  }
  if (!flags.closer.empty())
    answer_closer(vectors, flags.closer, flags);
  else if (flags.is_generated() && flags.vectors.empty())
    answer_closer(vectors, {"dog", "cat", "airplane"}, flags);
  if (!flags.analogy.empty()) {
    for (const std::string& word : flags.analogy) vector_of(vectors, word);
    std::printf("%s is to %s as %s is to (cosine):\n", flags.analogy[0].c_str(), flags.analogy[1].c_str(),
                flags.analogy[2].c_str());
    for (const auto& [row, cosine] :
         vectors.analogy(flags.analogy[0], flags.analogy[1], flags.analogy[2], flags.neighbours))
      std::printf("    %-20s %8.4f\n", vectors.words()[static_cast<size_t>(row)].c_str(), cosine);
  }
  train::Metrics evaluations;
  for (const std::string& file : flags.evaluate)
    evaluations.emplace_back(std::filesystem::path(file).filename().string(), evaluate(file, vectors));
  std::fflush(stdout);
  if (!flags.output.empty()) language::save_word_vectors(flags.output, vectors);
  if (!settings.picture.empty()) draw(settings.picture, vectors);
  return evaluations;
}

}  // namespace percale::apps
