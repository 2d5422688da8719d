// Vectors with their words: what is near a word, how far two are from each other, and files that other programs read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../core/tensor.h"
#include "subwords.h"

namespace percale::language {

enum class Distance { cosine, euclidean, dot };

/// A vector a word. Looked up and compared on the CPU.
class WordVectors {
 public:
  WordVectors() = default;
  /// `vectors` are f32 [words, width]. Errors: another count, a word that is empty or there twice, a vector with NaN or
  /// infinity.
  WordVectors(std::vector<std::string> words, const Tensor& vectors);
  /// And f32 [pieces, width] of the words' pieces, from which an unseen word's vector is made.
  WordVectors(std::vector<std::string> words, const Tensor& vectors, Subwords subwords, const Tensor& pieces);

  int64_t size() const { return static_cast<int64_t>(words_.size()); }
  int64_t width() const { return vectors_.size(1); }
  const std::vector<std::string>& words() const { return words_; }
  const Tensor& vectors() const { return vectors_; }
  const Subwords& subwords() const { return subwords_; }
  const Tensor& pieces() const { return pieces_; }  ///< undefined without subwords

  /// The word's row, or -1.
  int64_t find(std::string_view word) const;
  /// The word's row; an error if there is none.
  int64_t row(std::string_view word) const;

  /// The word's vector; of an unseen word the mean of those of its pieces, or nothing if no piece of it is known.
  std::optional<std::vector<float>> vector_of(std::string_view word) const;

  /// How alike two rows are: the cosine (0 where a vector is zero), minus the Euclidean distance, or the dot product.
  double similarity(int64_t a, int64_t b, Distance distance = Distance::cosine) const;

  double similarity(const std::vector<float>& a, const std::vector<float>& b, Distance distance) const;

  using Neighbour = std::pair<int64_t, double>;  ///< row and similarity
  /// The `count` rows most alike to a vector of `width` numbers, the most alike first, the rows `without` left out.
  std::vector<Neighbour> nearest(const std::vector<float>& vector, int64_t count, Distance distance = Distance::cosine,
                                 const std::vector<int64_t>& without = {}) const;
  std::vector<Neighbour> nearest(std::string_view word, int64_t count, Distance distance = Distance::cosine) const;
  /// What is to `c` as `b` is to `a`: the words nearest to b - a + c, all of length 1 (Mikolov and others, "Linguistic
  /// Regularities in Continuous Space Word Representations", 2013).
  std::vector<Neighbour> analogy(std::string_view a, std::string_view b, std::string_view c, int64_t count) const;

 private:
  std::vector<float> unit(int64_t row) const;

  std::vector<std::string> words_;
  Tensor vectors_;
  std::vector<double> lengths_;
  Subwords subwords_;
  Tensor pieces_;
  std::vector<int32_t> slots_;  ///< by hash: a row, or -1
};

/// Vectors from a file: word2vec's binary or text format (told apart by what is in it), or safetensors with `vectors`
/// and `words`. Errors name the file and what is wrong; nothing is allocated on a header's word alone.
WordVectors load_word_vectors(const std::string& path);

/// Writes by the path's ending: `.bin` word2vec's binary format, `.txt` its text format (numbers in as many digits as
/// give back the same bits), `.safetensors` (f32 `vectors`, and `words` as UTF-8 bytes with a line feed behind each),
/// `.npy` the vectors alone with the words in `PATH.words.txt`. A file appears whole or not at all.
void save_word_vectors(const std::string& path, const WordVectors& vectors);

/// An error unless save_word_vectors knows the ending.
void require_known_ending(const std::string& path);

}  // namespace percale::language
