// The entries of an index grouped by the row of a table that they name: what gradients of tables are summed by on the
// CPU.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../../core/tensor.h"

namespace percale::cpu {

/// One entry of an index: the row it names, counted from its block's first, and where it stands. As one number, entries
/// of a block are in order when sorted: by row, and in the order of the index within a row.
class RowEntry {
 public:
  RowEntry() = default;
  RowEntry(int64_t row_in_block, int64_t position)
      : word_(static_cast<uint64_t>(row_in_block) << position_bits | static_cast<uint64_t>(position)) {}
  int64_t row_in_block() const { return static_cast<int64_t>(word_ >> position_bits); }
  int64_t position() const { return static_cast<int64_t>(word_ & ((uint64_t{1} << position_bits) - 1)); }
  bool operator<(RowEntry other) const { return word_ < other.word_; }

 private:
  static constexpr int position_bits = 40;
  uint64_t word_;
};

/// Groups entries by blocks of neighbouring rows, in two passes over the index; `sorted` then orders one block's. So a
/// parallel loop over blocks gives each thread rows of its own, whatever the index, and sums in the same order.
/// Entries outside of the table are left out. Nothing here grows with the table but the number of blocks, 4096 at most.
class RowEntries {
 public:
  /// @param index i64 or i32, contiguous, any shape.
  RowEntries(const Tensor& index, int64_t rows);

  int64_t blocks() const { return blocks_; }
  int64_t first_row(int64_t block) const { return block << block_bits_; }
  int64_t end_row(int64_t block) const { return std::min(rows_, (block + 1) << block_bits_); }

  struct Block {
    const RowEntry* entries;
    int64_t count;
    /// Calls `body(row_in_block, entries, count)` for each row that comes, in ascending order.
    template <class Body>
    void for_each_row(Body&& body) const {
      for (int64_t begin = 0, end; begin < count; begin = end) {
        const int64_t row = entries[begin].row_in_block();
        for (end = begin + 1; end < count && entries[end].row_in_block() == row;) ++end;
        body(row, entries + begin, end - begin);
      }
    }
  };
  /// The block's entries in order. Each block may be asked for by one thread, once.
  Block sorted(int64_t block) const;

 private:
  template <class Index>
  void group(const Index* index, int64_t count);

  int64_t rows_, blocks_;
  int block_bits_ = 8;
  Tensor entries_, scratch_;  ///< i64: RowEntry
  Tensor starts_;             ///< i64, [blocks + 1]: where each block's entries begin
};

}  // namespace percale::cpu
