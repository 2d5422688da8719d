// What word_vectors tells of vectors: neighbours, analogies, how well they agree with people; and the files that it
// writes.
#pragma once

#include "flags.h"

namespace percale::apps {

/// Answers what the flags ask of `vectors`, and writes --output and --picture. Without a question about generated
/// sentences, answers the tutorial's: is dog closer to cat than to airplane? Returns what --evaluate found, a field a
/// file:
/// {"wordsim353.tsv": {"spearman": 0.4, "pairs": 299, "missing": 54}}.
train::Metrics answer(const language::WordVectors& vectors, const WordFlags& flags, const Settings& settings);

/// Prints the numbers of a sentence's words: `hello world -> 7, 88`.
void print_ids(const language::Vocabulary& vocabulary, const std::string& sentence);

}  // namespace percale::apps
