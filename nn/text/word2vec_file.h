// word2vec's two formats from memory or a file: what load_word_vectors and its fuzz target stand on.
#pragma once

#include "../../core/io/file.h"
#include "word_vectors.h"

namespace percale::language {

/// A file's words and their vectors f32 [words, width], as they stand there: words may come twice, numbers be NaN.
struct WordRows {
  std::vector<std::string> words;
  Tensor vectors;
};
WordRows read_word2vec(const io::Source& source);

/// Vectors in word2vec's binary or text format. Errors name the source; nothing is allocated on its header's word
/// alone.
WordVectors load_word2vec(const io::Source& source);

}  // namespace percale::language
