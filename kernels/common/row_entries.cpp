#include "row_entries.h"

#include <algorithm>
#include <utility>

#include "../../core/cpu/threads.h"
#include "../../core/error.h"

namespace percale::cpu {
namespace {

constexpr int64_t most_blocks = 4096;

RowEntry* entries_of(const Tensor& words) { return reinterpret_cast<RowEntry*>(words.data<int64_t>()); }

/// Entries of a block of 256 rows, by counting. Returns false, and does nothing, where sorting is quicker.
bool sort_by_counting(const RowEntry* from, RowEntry* to, int64_t count) {
  constexpr int64_t rows = 256;
  if (count < rows / 4) return false;
  int64_t starts[rows + 1] = {};
  for (int64_t i = 0; i < count; ++i) ++starts[from[i].row_in_block() + 1];
  for (int64_t row = 0; row < rows; ++row) starts[row + 1] += starts[row];
  for (int64_t i = 0; i < count; ++i) to[starts[from[i].row_in_block()]++] = from[i];
  return true;
}

}  // namespace

RowEntries::RowEntries(const Tensor& index, int64_t rows) : rows_(rows) {
  while ((rows >> block_bits_) > most_blocks) ++block_bits_;
  blocks_ = (rows + (int64_t{1} << block_bits_) - 1) >> block_bits_;
  entries_ = Tensor::empty({index.numel()}, {i64, cpu_device});
  scratch_ = Tensor::empty({index.numel()}, {i64, cpu_device});
  visit_index("embedding", index.dtype(), [&]<class Index>() { group(index.data<Index>(), index.numel()); });
}

template <class Index>
void RowEntries::group(const Index* index, int64_t count) {
  // Pieces of the index count their entries of each block, and then know where to write them.
  const int64_t piece = std::max<int64_t>(8192, (count + 15) / 16), pieces = (count + piece - 1) / piece;
  const Tensor offsets = Tensor::empty({pieces, blocks_}, {i64, cpu_device});
  starts_ = Tensor::empty({blocks_ + 1}, {i64, cpu_device});
  int64_t* starts = starts_.data<int64_t>();
  auto in_table = [rows = static_cast<uint64_t>(rows_)](Index row) {
    return static_cast<uint64_t>(static_cast<int64_t>(row)) < rows;
  };
  parallel_for(count, piece, [&](int64_t begin, int64_t end) {
    int64_t* counts = offsets.data<int64_t>() + begin / piece * blocks_;
    std::fill_n(counts, blocks_, int64_t{0});
    for (int64_t i = begin; i < end; ++i)
      if (in_table(index[i])) ++counts[static_cast<int64_t>(index[i]) >> block_bits_];
  });
  int64_t sum = 0;
  for (int64_t block = 0; block < blocks_; ++block) {
    starts[block] = sum;
    for (int64_t p = 0; p < pieces; ++p) {
      int64_t& offset = offsets.data<int64_t>()[p * blocks_ + block];
      sum += std::exchange(offset, sum);
    }
  }
  starts[blocks_] = sum;
  const int64_t mask = (int64_t{1} << block_bits_) - 1;
  parallel_for(count, piece, [&](int64_t begin, int64_t end) {
    int64_t* offset = offsets.data<int64_t>() + begin / piece * blocks_;
    RowEntry* entries = entries_of(entries_);
    for (int64_t i = begin; i < end; ++i)
      if (in_table(index[i])) {
        const auto row = static_cast<int64_t>(index[i]);
        entries[offset[row >> block_bits_]++] = RowEntry(row & mask, i);
      }
  });
}

RowEntries::Block RowEntries::sorted(int64_t block) const {
  const int64_t begin = starts_.data<int64_t>()[block], count = starts_.data<int64_t>()[block + 1] - begin;
  RowEntry* entries = entries_of(entries_) + begin;
  RowEntry* scratch = entries_of(scratch_) + begin;
  if (block_bits_ == 8 && sort_by_counting(entries, scratch, count)) return {scratch, count};
  std::sort(entries, entries + count);
  return {entries, count};
}

}  // namespace percale::cpu
