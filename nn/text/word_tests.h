// What word vectors are measured by: pairs that people have scored, and questions of the form a is to b as c is to d.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "word_vectors.h"

namespace percale::language {

/// Spearman's rank correlation of two lists of one length; equal values share their mean rank. NaN where one list is
/// constant or there are less than two pairs.
double spearman(const std::vector<double>& a, const std::vector<double>& b);

struct PairScore {
  double correlation = 0;  ///< Spearman's, of cosines and scores
  int64_t pairs = 0;       ///< compared
  int64_t missing = 0;     ///< pairs left out, since a word of theirs has no vector
  /// A word, one that goes with it (scored 7 or more) and one that does not (4 or less), each such three once; and how
  /// many have their cosines in that order. Of scores from 0 to 10.
  int64_t triplets = 0, in_order = 0;
};

/// A file of lines `word word score` (tabs, commas or spaces between; lines with # are comments): WordSim-353,
/// SimLex-999. A word is looked up as it is, then in lower case. Errors name file and line.
PairScore score_pairs(const std::string& path, const WordVectors& vectors);

struct QuestionScore {
  int64_t correct = 0, questions = 0;
  int64_t missing = 0;  ///< questions left out
};

/// A file like `questions-words.txt`: lines of four words, and `: section`. Right is a question whose fourth word is
/// nearest of all to b - a + c (see WordVectors::analogy).
QuestionScore score_questions(const std::string& path, const WordVectors& vectors);

/// Whether a file has questions rather than pairs: its first line begins with a colon.
bool has_questions(const std::string& path);

}  // namespace percale::language
