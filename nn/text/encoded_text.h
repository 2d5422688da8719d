// A text as the numbers of its words, in pieces that a training step takes.
#pragma once

#include <string>
#include <vector>

#include "../../core/tensor.h"
#include "vocabulary.h"

namespace percale::language {

struct TextOptions {
  bool lower = false;                  ///< as the vocabulary was counted
  std::vector<std::string> drop = {};  ///< words that are passed over
  int64_t most_a_piece = 32'768;
};

/// Rows are taken one after the other; how many numbers they have depends on the text alone, some 64 rows a text or
/// more.
struct EncodedText {
  Tensor pieces;      ///< i32 [pieces, numbers]: words of the dictionary, -1 at the end of a line and behind the last
  int64_t words = 0;  ///< of the text without the dropped ones, known or not
};

/// Reads a text on all threads, in 4 bytes a number and some for what is being read. Words that are not in the
/// dictionary are left out, as word2vec does.
EncodedText encode_text(const io::Source& text, const Vocabulary& vocabulary, const TextOptions& options = {});

/// The whole text in one row, i32 [count]: words that are not in the dictionary are vocabulary.others(), the end of a
/// line is vocabulary.size(). What a model of the next word learns from.
Tensor encode_lines(const io::Source& text, const Vocabulary& vocabulary, const TextOptions& options = {});

}  // namespace percale::language
