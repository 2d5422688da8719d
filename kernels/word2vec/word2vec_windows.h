// A piece of text as word2vec sees it on the CPU: which words are kept, and each centre's window and noise.
#pragma once

#include <cstdint>

#include "../../core/cpu/threads.h"
#include "word2vec_twins.h"

namespace percale::cpu {

/// The words that a centre meets: `context` are rows of the input table, `drawn` of the output table: the centre's own
/// first, then the noise, where -1 is skipped.
struct Window {
  int32_t* context;
  int contexts;
  const int32_t* drawn;
};

/// Drawn for all positions at once, on all threads; no draw depends on another.
class Windows {
 public:
  explicit Windows(const Word2VecCall& call);

  int64_t positions() const { return positions_; }
  int outputs() const { return outputs_; }
  int most_contexts() const { return most_contexts_; }

  /// The window of position p, its context written to `context` (room for most_contexts); none where p is no centre.
  Window at(int64_t p, int32_t* context) const;
  /// Its words of the output table alone.
  const int32_t* drawn(int64_t p) const { return drawn_.data<int32_t>() + p * outputs_; }

 private:
  void draw(const Word2VecCall& call, int64_t begin, int64_t end);
  void line_up(const int32_t* text);

  int64_t positions_;
  int outputs_, most_contexts_;
  Tensor reach_, drawn_, place_, line_;  ///< i32; reach 0: not kept; line: the kept words, a -1 around each sentence
};

}  // namespace percale::cpu
