// word_vectors --model next-word: the tutorial's own road to word vectors.
#pragma once

#include "corpus.h"

namespace percale::apps {

/// Learns to predict each word of the text from those before it, tells the perplexity, and answers what the flags ask.
void learn_next_word(const Corpus& corpus, const WordFlags& flags, const Settings& settings);

}  // namespace percale::apps
