// word2vec's two formats from memory or a file: what load_word_vectors and its fuzz target stand on.
#pragma once

#include "../../core/io/file.h"
#include "word_vectors.h"

namespace percale::language {

/// Vectors in word2vec's binary or text format. Errors name the source; nothing is allocated on its header's word
/// alone.
WordVectors load_word2vec(const io::Source& source);

}  // namespace percale::language
