// Products of matrices on the CPU whose bytes depend on nothing but the operands: what matmul and linear stand on.
//
// Each element is one chain of fused multiply-adds along the depth, in order, from zero. So a row's bytes are the same
// alone and in a batch, at one thread and at many, with AVX2 and with AVX-512, whichever operand was transposed or
// packed. oneDNN's matmul is hardly faster (f32, one AVX-512 core, x [64, 3136] by W [128, 3136]: forward 0.33 ms
// against its 0.36, packed 0.31 against 0.30, by x 0.31 against 0.28, by W 0.30 against 0.28) and cuts the depth by
// shape, instruction set and number of threads, so that its bytes change with them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../core/cpu/threads.h"
#include "../../core/dtype.h"
#include "activation.h"

namespace percale {
class Tensor;
}

namespace percale::cpu {

/// out[rows, columns] = left[rows, depth] right[depth, columns], then plus bias[columns] and the activation.
/// All of one dtype: f32, f64, or bf16 where `multiplies_bf16()` (sums in f32, and of the two steps of each operand one
/// must be 1). Steps are in elements; the columns of `out` are neighbours.
struct Product {
  DType dtype = f32;
  int64_t rows = 0, columns = 0, depth = 0;
  const void* left = nullptr;
  int64_t left_row_step = 0, left_depth_step = 0;
  const void* right = nullptr;
  int64_t right_depth_step = 0, right_column_step = 0;
  void* out = nullptr;
  int64_t out_row_step = 0;
  const void* packed_right = nullptr;  ///< from `pack_right`: read in place of `right`
  const void* bias = nullptr;
  Activation activation = Activation::none;
};

/// Where matrix number i of a batch starts, in elements.
struct BatchOffsets {
  int64_t left = 0, right = 0, out = 0;
};

void multiply(const Product& product);

/// Whether this processor multiplies bfloat16 itself (AVX512-BF16): else its products are those of f32.
bool multiplies_bf16();
/// Whether products of `dtype` can end in a GELU: bf16 by the processor's dot products of pairs.
bool finishes_gelu(DType dtype);
/// A matrix, or a batch of them, of bf16 as `multiply` takes it: the tensor itself, or a dense copy.
Tensor readable_bf16(const Tensor& tensor);

/// Columns that `pack_right` puts side by side: by the instruction set.
int64_t panel_width(DType dtype);
/// Bytes of `right` as `pack_right` writes it; 0 where nothing can be packed (bf16 by oneDNN).
size_t packed_bytes(DType dtype, int64_t depth, int64_t columns);
/// Writes `product.right` in the order in which products read it: worth it where one is multiplied often.
void pack_right(const Product& product, void* packed);

/// How a product is cut into pieces, by its extents alone.
struct ProductPieces {
  int64_t rows, columns;  ///< of a piece
  int64_t down, across;   ///< pieces
  int64_t count() const { return down * across; }
};
ProductPieces pieces_of(const Product& product);
/// Computes piece number `index`.
void multiply_piece(const Product& product, const ProductPieces& pieces, int64_t index);

inline constexpr int64_t bf16_piece_rows = 64;
void multiply_piece_bf16(const Product& product, int64_t row, int64_t rows, int64_t column, int64_t columns);

/// `count` products of the same extents and steps; `offsets(i)` says where the operands of the i-th start.
template <class Offsets>
void multiply_batch(const Product& product, int64_t count, Offsets&& offsets) {
  const ProductPieces pieces = pieces_of(product);
  const int64_t width = static_cast<int64_t>(size_of(product.dtype));
  const int64_t work = pieces.rows * pieces.columns * (product.depth + 1);
  const int64_t least =
      product.rows == 1 ? 1 << 17 : 1 << 18;  // one row waits for memory, and so is worth sharing sooner
  const int64_t grain = work > 0 && work < least ? least / work + 1 : 1;
  parallel_for(count * pieces.count(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const BatchOffsets at = offsets(i / pieces.count());
      Product one = product;
      one.left = static_cast<const char*>(product.left) + at.left * width;
      one.right = static_cast<const char*>(product.right) + at.right * width;
      one.out = static_cast<char*>(product.out) + at.out * width;
      multiply_piece(one, pieces, i % pieces.count());
    }
  });
}

}  // namespace percale::cpu
