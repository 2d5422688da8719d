// What word_vectors learns from: a dictionary and the text in its numbers.
#pragma once

#include "flags.h"

namespace percale::apps {

struct Corpus {
  language::Vocabulary vocabulary;
  language::EncodedText text = {};  ///< in pieces, for word2vec (on the device);
  Tensor lines = {};                ///< or as encode_lines gives it, for the next word,
  Tensor valid = {};                ///< and so the text that is not learnt; undefined if there is none
  std::string name;                 ///< what it is, for the last line

  double words_a_piece() const { return static_cast<double>(text.words) / static_cast<double>(text.pieces.size(0)); }
};

/// Counts the text, and reads it again in numbers: where nothing is learnt these are one end of a line.
Corpus load_corpus(const WordFlags& flags, const Settings& settings);

}  // namespace percale::apps
