// Vectors from the files that models leave behind.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "../../core/tensor.h"

namespace percale::embeddings {

/// A vector a row, f32 on the CPU, and what the rows are called (empty where the file does not say).
struct NamedVectors {
  Tensor vectors;  ///< [rows, width]
  std::vector<std::string> names;
};

/// Reads NumPy's .npy, safetensors (by the path's ending), and word2vec's binary and text files; a floating-point
/// matrix becomes f32. `tensor` names the one to take of a safetensors file that holds several matrices. Rows have
/// names in word2vec's files, and where save_word_vectors left their words: in `words` of a safetensors file, beside an
/// npy file in `PATH.words.txt`. Errors name the file, and what was expected.
NamedVectors load_vectors(const std::string& path, const std::string& tensor = {});

/// The rows that two models have vectors for, in the order of `now`: by name where both have names (a vocabulary is
/// rarely in the same order twice), else row by row as they are. An error if no name is in both.
std::pair<NamedVectors, NamedVectors> in_common(const NamedVectors& now, NamedVectors before);

/// Labels: an .npy file of whole numbers [rows], or text with a label a line, numbered in the order in which they come
/// up.
struct Labels {
  Tensor numbers;  ///< i64 [rows]
  std::vector<std::string> names;
};
Labels load_labels(const std::string& path, int64_t rows);

}  // namespace percale::embeddings
