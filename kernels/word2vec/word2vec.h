// Word vectors by skip-gram and CBOW with negative sampling: one fused step over a piece of text.
#pragma once

#include <vector>

#include "../../core/tensor.h"

namespace percale {

/// How often words are looked at, and how likely each is drawn as noise. On the device of the tables.
struct WordSampler {
  Tensor keep;    ///< f32 [words]: the probability that an occurrence is kept (subsampling of frequent words)
  Tensor accept;  ///< f32 [words]: of the alias table: the probability that a drawn entry stands for itself
  Tensor alias;   ///< i32 [words]: what it stands for otherwise

  WordSampler to(Device device) const { return {keep.to(device), accept.to(device), alias.to(device)}; }
};

/// From the words' counts, i64 [words] on the CPU, none negative and not all zero:
/// kept with probability (sqrt(f / sample) + 1) * sample / f, f being a word's share of the text (word2vec's formula; 0
/// keeps all), and drawn in proportion to count^power by a table of Walker's (A. J. Walker 1977; M. D. Vose 1991).
WordSampler word_sampler(const Tensor& counts, double sample = 1e-3, double power = 0.75);

/// What words are made of where their vectors are no rows of their own: rows of the input table, each word's and, the
/// other way, each row's words. On the device of the tables; undefined where word w is row w.
struct WordParts {
  Tensor starts;       ///< i32 [words + 1]: word w has entries starts[w] to starts[w + 1] - 1 of
  Tensor rows;         ///< i32 [entries]
  Tensor user_starts;  ///< i32 [rows + 1]: the words that have row r are entries user_starts[r] and on of
  Tensor users;        ///< i32 [entries], ascending for each row

  bool defined() const { return starts.defined(); }
  WordParts to(Device device) const;
};

/// From the rows of each word, of a table of `rows`. Errors: a word without rows, a row twice or out of range.
WordParts word_parts(const std::vector<std::vector<int32_t>>& rows_of_words, int64_t rows);

enum class WordModel {
  skip_gram,  ///< each word around a centre predicts it
  cbow,       ///< the mean of the words around a centre predicts it
};

struct Word2VecStepOptions {
  WordModel model = WordModel::skip_gram;
  int64_t window = 5;    ///< words on each side, at most: each centre draws 1 to `window`
  int64_t negative = 5;  ///< noise words, drawn once a centre and shared by the words around it
  int64_t batch = 2048;  ///< centres whose gradients are taken at the same tables
  int64_t crowd = 16;    ///< a row that more than so many share in a batch takes their mean times this number
  /// Lock-free: centres one by one on all threads at once. Other bytes each run. Words made of parts are made once a
  /// batch, which is faster than once a centre: there, and on CUDA, it changes nothing.
  bool fast = false;
};

/// A text has this many batches or more, so that neighbours are in different ones; or one a word.
inline constexpr int64_t least_word2vec_batches = 16;

/// Losses are taken at every so manieth word.
inline constexpr int64_t word2vec_loss_every = 16;

/// Moves `input` and `output` (f32 [words, width], contiguous, changed in place) by one step of gradient descent on
///
///     -log sigmoid(x . y) - sum over noise words n of log sigmoid(-x . y_n)
///
/// for each kept word of `text` as centre (y its row of `output`) and each x (rows of `input`) around it: Mikolov and
/// others, "Distributed Representations of Words and Phrases and their Compositionality" (2013), equation 4. With the
/// noise shared by a centre, its gradients are small matrix products (Ji and others, "Parallelizing Word2Vec in Shared
/// and Distributed Memory", 2016). A noise word that is the centre does not count.
///
/// `text` is i32 [count]: rows, and -1 where a sentence ends. The centre at position p is in batch p mod batches, which
/// are ceil(count / batch), but at least 16: neighbours, which share words, are in different ones. Batches follow each
/// other, and the centres of one see the same tables. `learning_rate` is one f64 on the device.
///
/// With `parts` there may be more rows of `input` than words, and x is the mean of its word's rows: what the batch adds
/// to x, it adds to each of them (Bojanowski and others, "Enriching Word Vectors with Subword Information", 2017).
/// Where more than a crowd of the batch's words have a row, it takes the mean of what they add times the crowd.
///
/// Returns f32 [ceil(count / 16)]: for positions 0, 16, ... the sum of the above, or 0 where there is no centre.
/// Errors: shapes, dtypes, options out of range; a row that is not in the tables (which are then untouched).
Tensor word2vec(const Tensor& input, const Tensor& output, const Tensor& text, const WordSampler& sampler,
                const Tensor& learning_rate, const Word2VecStepOptions& options = {}, const WordParts& parts = {});

}  // namespace percale
