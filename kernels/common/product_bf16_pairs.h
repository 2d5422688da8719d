// Products of bfloat16 by the processor's own dot products of pairs (AVX512-BF16), for product_bf16.cpp.
#pragma once

#include "product.h"

namespace percale::cpu {

/// Whether this processor has them, and the instruction set in use.
bool has_bf16_pairs();
/// Whether products go by them: not where AMX, which oneDNN knows, is better.
bool dots_bf16_pairs();

/// Rows `row`... and columns `column`... (a multiple of 32) of the product. Each element is one chain of dot products
/// of pairs along the depth, in order, from zero, rounded once behind bias and activation: a row's bytes depend on no
/// other.
void dot_piece_bf16(const Product& product, int64_t row, int64_t rows, int64_t column, int64_t columns);

/// Writes `right` as products read it: panels of 32 columns, in each the pairs of the depth one behind the other.
size_t bf16_pairs_bytes(int64_t depth, int64_t columns);
void pack_bf16_pairs(const Product& product, void* packed);

}  // namespace percale::cpu
