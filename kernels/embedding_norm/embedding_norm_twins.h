// What the twins of embedding_norm implement, on contiguous memory with one entry at least and a width of one at least.
#pragma once

#include <array>

#include "../../core/tensor.h"

namespace percale {

inline constexpr int embedding_norm_tables = 3;
/// How an index that is in none of a table's rows is reported, table by table.
inline constexpr const char* embedding_norm_messages[embedding_norm_tables] = {
    "index {value} at position {position} is out of range for a word table of {bound} rows",
    "index {value} at position {position} is out of range for a position table of {bound} rows",
    "index {value} at position {position} is out of range for a type table of {bound} rows"};

struct EmbeddingNorm {
  std::array<Tensor, embedding_norm_tables> tables;   ///< [rows, width] of one dtype
  std::array<Tensor, embedding_norm_tables> indices;  ///< all i64 or all i32, of one shape
  Tensor weight, bias;                                ///< [width] in the compute dtype, or undefined
  Tensor sum;         ///< [entries, width] in the compute dtype: what is normalised, or undefined: not wanted
  Tensor result;      ///< [entries, width] of the tables' dtype
  Tensor statistics;  ///< [entries, 3]: a RowStatistics each, or undefined
  double eps;
};

namespace cpu {
void embedding_norm(const EmbeddingNorm& operands);
}
namespace cuda {
void embedding_norm(const EmbeddingNorm& operands);
}

}  // namespace percale
