// A tokenizer that needs no file.
#pragma once

#include "wordpiece.h"

namespace percale::language {

/// WordPiece (uncased) over some 2,500 pieces that come with the library: for models that begin with random weights.
/// The commonest English words are whole, any other of a to z and 0 to 9 comes in parts; other scripts are [UNK].
WordPiece small_vocabulary();

}  // namespace percale::language
