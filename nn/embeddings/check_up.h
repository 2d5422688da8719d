// A check-up for anyone's vectors: what is wrong with them, whatever model they come from.
#pragma once

#include <string>
#include <vector>

#include "../../core/tensor.h"

namespace percale::embeddings {

/// What was looked at, what was found, and what that means.
struct Finding {
  std::string name;     ///< in one or two words: `duplicates`
  std::string measure;  ///< as it is printed: `12 of 100000 rows`
  std::string verdict;  ///< a sentence
  double value = 0;     ///< the number for machines
  bool good = true;     ///< nothing to mend
  std::vector<std::string> examples =
      {};  ///< rows that it speaks of, five at most, by name; of duplicates `this = that`
};

struct CheckUpOptions {
  int64_t neighbours = 10;         ///< k of the k-occurrences
  int64_t most_queries = 100'000;  ///< rows whose neighbours are looked for, evenly spread; all others are only found
  std::vector<std::string> names = {};  ///< what the rows are called, if not by their numbers: one each
};

/// `row 17`, or its name as it can be printed.
std::string row_name(const std::vector<std::string>& names, int64_t row);

struct CheckUp {
  std::vector<Finding> findings;
  Tensor queries;     ///< i64 [Q]: the rows whose neighbours were looked for
  Tensor neighbours;  ///< i64 [Q, k]: by cosine among all rows, without themselves; empty if there are too few rows
};

/// Looks `vectors` over, [rows, width] f32 on the CPU, in this order:
///   not finite   rows with NaN or infinity (they are left out of all that follows)
///   zeros        rows of zeros alone, which no cosine is defined for
///   dead dims    columns that are the same in every row
///   norms        least, mean and largest length
///   duplicates   rows equal to an earlier one, bit for bit
///   rank         how many dimensions carry the variance: the participation ratio (sum of the covariance's
///   eigenvalues)^2
///                over the sum of their squares
///   mean cosine  of all pairs: far from 0 where all vectors point one way (anisotropy; Ethayarajh, EMNLP 2019)
///   hubs         the skewness of how often a row is among the k nearest of others (Radovanovic and others, "Hubs in
///                Space", JMLR 2010)
/// The same bytes at any number of threads. An error if there are no rows or no columns.
CheckUp check_up(const Tensor& vectors, const CheckUpOptions& options = {});

/// The share of the queries whose nearest neighbour has their label (i64 [rows]).
double label_accuracy(const CheckUp& checked, const Tensor& labels);

/// How a new model's vectors stand to the old one's, row by row.
struct Comparison {
  double overlap = 0;          ///< the mean share of the k nearest that are the same, of all queries
  double cosine = 0;           ///< mean, of a row's new and old vector; NaN where the widths differ
  std::vector<int64_t> moved;  ///< the rows that lost most neighbours, at most ten
  std::vector<double> kept;    ///< and the share that each of them kept
  std::string verdict;
  bool good = true;
};

/// Neighbours by cosine in `now` and in `before`, [rows, width] f32 with as many rows; widths may differ. Rows with NaN
/// or infinity in either are left out. An error if the rows differ in number, or fewer than three are left.
Comparison compare(const Tensor& now, const Tensor& before, const CheckUpOptions& options = {});

}  // namespace percale::embeddings
