// The centres of each batch with the rows that they share, for word2vec's deterministic mode on the CPU.
#pragma once

#include <vector>

#include "word2vec_windows.h"

namespace percale::cpu {

/// A batch's rows of one table: a slot for each different one.
struct BatchRows {
  int32_t* rows;  ///< the row of a slot, or its word where words are made of parts
  float* share;   ///< what of a row's summed steps is taken: all, or less where more than a crowd share it
  int count;
};

/// One batch: centre j has contexts[j] slots of input rows at context + j * most_contexts, and `outputs` slots of
/// output rows at output + j * outputs. Where `drawn` has -1 the slot is the centre's own, and its steps are 0.
struct Batch {
  int centres;
  const int32_t* positions;
  const int32_t* contexts;
  const int32_t* context;
  const int32_t* output;
  BatchRows input_rows, output_rows;
  /// Of words made of parts, in the order of the slots and their rows: what a row takes of what its words add.
  std::vector<float> part_shares = {};
};

class Plan {
 public:
  Plan(const Word2VecCall& call, const Windows& windows);

  int64_t batches() const { return static_cast<int64_t>(batches_.size()); }
  const Batch& operator[](int64_t index) const { return batches_[static_cast<size_t>(index)]; }

 private:
  /// Of how many words of the batch is each row a part?
  static void share_parts(const Word2VecCall& call, Batch& batch);
  void plan(const Word2VecCall& call, const Windows& windows, int64_t index);

  std::vector<Batch> batches_;
  Tensor numbers_, shares_;
  int64_t each_, shares_each_;  ///< numbers and shares a batch
};

}  // namespace percale::cpu
