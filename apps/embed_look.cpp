// A check-up for anyone's vectors: what is wrong with them, and whether a new model broke an index.
#include <percale/nn/embeddings/check_up.h>
#include <percale/nn/embeddings/vector_files.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "embed_look/report.h"
#include "program/program.h"

using namespace percale;

int main(int argc, char** argv) {
  std::vector<std::string> files;
  std::string labels_file, old_file, picture, metrics, tensor;
  int64_t queries = 100'000;
  apps::Program program("embed_look",
                        "Looks vectors over (npy, safetensors or word2vec): zeros, dead dimensions, norms, NaN,\n"
                        "duplicates, effective rank, mean cosine, hubs; each with a verdict.",
                        "embed_look vectors.npy --labels labels.txt --against old.npy --picture vectors.png");
  program.words("FILE", files, "the vectors");
  program.option("--labels", labels_file,
                 "a label a line, or an npy of whole numbers: how often the nearest row has the same", "FILE");
  program.option("--against", old_file,
                 "an older model's vectors of the same rows: does an index made of them still hold?", "OLD");
  program.option("--tensor", tensor, "the matrix to take from a safetensors file", "NAME");
  program.option("--queries", queries, "rows whose neighbours are looked for, evenly spread; the more, the surer", 1);
  program.option("--picture", picture, "draw a map of the vectors", "FILE.png");
  program.option("--metrics", metrics, "write the numbers as one line of JSON", "FILE.jsonl");
  program.check([&](const apps::Settings&) {
    if (files.size() != 1) throw apps::UsageError(files.empty() ? "name a file of vectors" : "one file at a time");
    if (!picture.empty()) apps::require_writable("--picture", picture);
    if (!metrics.empty()) apps::require_writable("--metrics", metrics);
  });

  return program.run(argc, argv, [&](const apps::Settings& settings) {
    const embeddings::NamedVectors loaded = embeddings::load_vectors(files[0], tensor);
    const Tensor& vectors = loaded.vectors;
    const embeddings::CheckUpOptions options = {.most_queries = queries, .names = loaded.names};
    embeddings::Labels labels;
    if (!labels_file.empty()) labels = embeddings::load_labels(labels_file, vectors.size(0));
    embeddings::NamedVectors old;
    if (!old_file.empty()) old = embeddings::load_vectors(old_file, tensor);
    apps::note(settings, settings.where);

    train::Metrics numbers = {{"rows", vectors.size(0)}, {"width", vectors.size(1)}};
    std::printf("%s: %lld vectors of %lld numbers\n", files[0].c_str(), static_cast<long long>(vectors.size(0)),
                static_cast<long long>(vectors.size(1)));
    const embeddings::CheckUp checked = embeddings::check_up(vectors, options);
    apps::print(checked, numbers);
    if (labels.numbers.defined()) apps::print_labels(checked, labels, numbers);
    if (old.vectors.defined()) {
      const size_t most = std::max(loaded.names.size(), old.names.size());
      const auto [now, before] = embeddings::in_common(loaded, std::move(old));
      if (now.names.size() < most) std::printf("  %zu names in common with %s\n", now.names.size(), old_file.c_str());
      apps::print_comparison(embeddings::compare(now.vectors, before.vectors, options), now.names, numbers);
    }
    if (!metrics.empty()) train::MetricsFile(metrics).finish(numbers);
    if (!picture.empty()) apps::draw(picture, loaded, checked, labels, files[0]);
  });
}
