#include "product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/common/product.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "product_block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Depth of a packed panel: 24 KiB, so that it stays in the first-level cache beside what is multiplied with it.
constexpr size_t depth_block = 192;
/// Rows of a piece at most: packed, they stay in the second-level cache.
constexpr size_t most_rows = 256;

/// As the vectors do it: fused where they are.
template <class T>
HWY_INLINE T multiply_add(T a, T b, T c) {
  const hn::CappedTag<T, 1> d;
  return hn::GetLane(hn::MulAdd(hn::Set(d, a), hn::Set(d, b), hn::Set(d, c)));
}

/// The last columns, fewer than a whole number of vectors: computed beside and copied.
template <class T>
void multiply_edge(const Block<T>& whole, size_t rows, size_t width) {
  HWY_ALIGN T beside[row_block * panel<T>];
  Block<T> block = whole;
  block.out = beside;
  block.out_row_step = panel<T>;
  for (size_t row = 0; row < rows; row += row_block) {
    const size_t count = rows - row < row_block ? rows - row : row_block;
    T* out = whole.out + row * whole.out_row_step;
    if (!whole.first)
      for (size_t r = 0; r < count; ++r)
        for (size_t c = 0; c < panel<T>; ++c)
          beside[r * panel<T> + c] = c < width ? out[r * whole.out_row_step + c] : T(0);
    if (width > lanes<T>)
      multiply_block<2>(block, count);
    else
      multiply_block<1>(block, count);
    for (size_t r = 0; r < count; ++r)
      for (size_t c = 0; c < width; ++c) out[r * whole.out_row_step + c] = beside[r * panel<T> + c];
    block.left += whole.left_block_step;
  }
}

#if HWY_TARGET != HWY_SCALAR
/// One row by a vector of columns whose elements are neighbours: read once and never packed. Not by two vectors: so
/// many streams of memory at once are slower.
template <class T>
void multiply_row(const T* left, const T* right, size_t column_step, size_t depth, T* out) {
  const hn::ScalableTag<T> d;
  auto sum = hn::Zero(d);
  size_t k = 0;
  for (; k + lanes<T> <= depth; k += lanes<T>) {
    hn::Vec<decltype(d)> square[lanes<T>];
    load_transposed(d, right + k, column_step, square);
    HWY_UNROLL(16)
    for (size_t i = 0; i < lanes<T>; ++i) sum = hn::MulAdd(hn::Set(d, left[k + i]), square[i], sum);
  }
  for (; k < depth; ++k) {
    HWY_ALIGN T column[lanes<T>];
    for (size_t c = 0; c < lanes<T>; ++c) column[c] = right[c * column_step + k];
    sum = hn::MulAdd(hn::Set(d, left[k]), hn::Load(d, column), sum);
  }
  hn::StoreU(sum, d, out);
}
#endif

/// One row by neighbouring columns, four steps of the depth at a time: reads `right` as it lies.
template <class T>
void multiply_row_along(const T* left, size_t left_step, const T* right, size_t right_step, size_t depth,
                        size_t columns, T* out) {
  const hn::ScalableTag<T> d;
  for (size_t c = 0; c < columns; ++c) out[c] = T(0);
  size_t k = 0;
  for (; k + 4 <= depth; k += 4, left += 4 * left_step, right += 4 * right_step) {
    const T factors[4] = {left[0], left[left_step], left[2 * left_step], left[3 * left_step]};
    size_t c = 0;
    for (; c + lanes<T> <= columns; c += lanes<T>) {
      auto sum = hn::LoadU(d, out + c);
      HWY_UNROLL(4)
      for (size_t i = 0; i < 4; ++i)
        sum = hn::MulAdd(hn::Set(d, factors[i]), hn::LoadU(d, right + i * right_step + c), sum);
      hn::StoreU(sum, d, out + c);
    }
    for (; c < columns; ++c)
      for (size_t i = 0; i < 4; ++i) out[c] = multiply_add(factors[i], right[i * right_step + c], out[c]);
  }
  for (; k < depth; ++k, left += left_step, right += right_step)
    for (size_t c = 0; c < columns; ++c) out[c] = multiply_add(*left, right[c], out[c]);
}

/// Bias and ReLU on the finished columns. NaN stays NaN.
template <class T>
void finish(T* out, size_t row_step, size_t rows, size_t width, const T* bias, bool relu) {
  const hn::ScalableTag<T> d;
  const auto zero = hn::Zero(d);
  for (size_t r = 0; r < rows; ++r, out += row_step) {
    size_t c = 0;
    for (; c + lanes<T> <= width; c += lanes<T>) {
      auto value = hn::LoadU(d, out + c);
      if (bias) value = hn::Add(value, hn::LoadU(d, bias + c));
      if (relu) value = hn::IfThenZeroElse(hn::Lt(value, zero), value);
      hn::StoreU(value, d, out + c);
    }
    for (; c < width; ++c) {
      T value = bias ? out[c] + bias[c] : out[c];
      out[c] = relu && value < T(0) ? T(0) : value;
    }
  }
}

/// Rows whose elements lie across memory (a tall transpose), row_block by row_block: else each step of the depth would
/// read another page.
template <class T>
void pack_rows(const T* from, size_t row_step, size_t depth_step, size_t rows, size_t depth, T* HWY_RESTRICT packed) {
  for (size_t row = 0; row < rows; row += row_block, from += row_block * row_step) {
    const size_t count = rows - row < row_block ? rows - row : row_block;
    if (count == row_block) {
      for (size_t k = 0; k < depth; ++k, packed += row_block)
        __builtin_memcpy(packed, from + k * depth_step, row_block * sizeof(T));
    } else {
      for (size_t k = 0; k < depth; ++k, packed += row_block)
        for (size_t r = 0; r < count; ++r) packed[r] = from[k * depth_step + r];
    }
  }
}

/// A piece of the result: all of the depth, block by block, with the rows packed where that pays.
template <class T>
void multiply_blocks(const Product& product, const T* left, const T* right, const T* packed_right, T* out, size_t rows,
                     size_t columns) {
  const auto depth = static_cast<size_t>(product.depth);
  const auto row_step = static_cast<size_t>(product.left_row_step),
             depth_step = static_cast<size_t>(product.left_depth_step);
  const auto right_depth_step = static_cast<size_t>(product.right_depth_step);
  const auto right_column_step = static_cast<size_t>(product.right_column_step);
  HWY_ALIGN T panel_block[depth_block * panel<T>];
  HWY_ALIGN T rows_block[depth_block * (most_rows + row_block)];
  const bool packs_rows = row_step == 1 && depth_step * sizeof(T) >= 1024 && columns > panel<T> && rows >= row_block;
  for (size_t k = 0; k < depth; k += depth_block) {
    const size_t count = depth - k < depth_block ? depth - k : depth_block;
    Block<T> block{left + k * depth_step,
                   row_step,
                   depth_step,
                   row_block * row_step,
                   panel_block,
                   count,
                   out,
                   static_cast<size_t>(product.out_row_step),
                   k == 0};
    if (packs_rows) {
      pack_rows(block.left, row_step, depth_step, rows, count, rows_block);
      block.left = rows_block;
      block.left_depth_step = row_block;
      block.left_block_step = row_block * count;
    }
    for (size_t c = 0; c < columns; c += panel<T>, block.out += panel<T>) {
      const size_t width = columns - c < panel<T> ? columns - c : panel<T>;
      if (packed_right)
        block.right = packed_right + c * depth + k * panel<T>;
      else
        pack_block(right + k * right_depth_step + c * right_column_step, right_depth_step, right_column_step, count,
                   width, panel_block);
      if (width == panel<T>)
        multiply_block<2>(block, rows);
      else
        multiply_edge(block, rows, width);
    }
  }
}

/// One row, with its weights read as they lie. False if nothing is to be gained.
template <class T>
bool multiply_one_row(const Product& product, const T* left, const T* right, T* out, size_t columns) {
  const auto depth = static_cast<size_t>(product.depth), left_step = static_cast<size_t>(product.left_depth_step);
  const auto depth_step = static_cast<size_t>(product.right_depth_step),
             column_step = static_cast<size_t>(product.right_column_step);
  if (column_step == 1) {
    multiply_row_along(left, left_step, right, depth_step, depth, columns, out);
    return true;
  }
#if HWY_TARGET != HWY_SCALAR
  if (depth_step == 1 && left_step == 1) {
    size_t c = 0;
    for (; c + lanes<T> <= columns; c += lanes<T>)
      multiply_row(left, right + c * column_step, column_step, depth, out + c);
    if (c < columns) multiply_blocks<T>(product, left, right + c * column_step, nullptr, out + c, 1, columns - c);
    return true;
  }
#endif
  return false;
}

template <class T>
void multiply_tile(const Product& product, size_t row, size_t rows, size_t column, size_t columns) {
  const T* left = static_cast<const T*>(product.left) + row * static_cast<size_t>(product.left_row_step);
  const T* right = static_cast<const T*>(product.right) + column * static_cast<size_t>(product.right_column_step);
  const T* packed = static_cast<const T*>(product.packed_right);
  const auto out_step = static_cast<size_t>(product.out_row_step);
  T* out = static_cast<T*>(product.out) + row * out_step + column;
  if (product.depth == 0) {
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < columns; ++c) out[r * out_step + c] = T(0);
  } else if (rows > 1 || packed || !multiply_one_row(product, left, right, out, columns)) {
    multiply_blocks(product, left, right, packed ? packed + column * static_cast<size_t>(product.depth) : nullptr, out,
                    rows, columns);
  }
  const T* bias = product.bias ? static_cast<const T*>(product.bias) + column : nullptr;
  const bool relu = product.activation == Activation::relu;
  if (bias || relu) finish(out, out_step, rows, columns, bias, relu);
}

template <class T>
void pack_columns(const Product& product, size_t column, T* packed) {
  const auto columns = static_cast<size_t>(product.columns), depth = static_cast<size_t>(product.depth);
  const T* right = static_cast<const T*>(product.right) + column * static_cast<size_t>(product.right_column_step);
  const size_t width = columns - column < panel<T> ? columns - column : panel<T>;
  pack_block(right, static_cast<size_t>(product.right_depth_step), static_cast<size_t>(product.right_column_step),
             depth, width, packed + column * depth);
}

}  // namespace

void tile_f32(const Product& product, size_t row, size_t rows, size_t column, size_t columns) {
  multiply_tile<float>(product, row, rows, column, columns);
}
void tile_f64(const Product& product, size_t row, size_t rows, size_t column, size_t columns) {
  multiply_tile<double>(product, row, rows, column, columns);
}
void pack_f32(const Product& product, size_t column, void* packed) {
  pack_columns(product, column, static_cast<float*>(packed));
}
void pack_f64(const Product& product, size_t column, void* packed) {
  pack_columns(product, column, static_cast<double*>(packed));
}
size_t panel_bytes() { return panel<float> * sizeof(float); }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>

#include "../../core/error.h"
#include "product_bf16_pairs.h"

namespace percale::cpu {

HWY_EXPORT(tile_f32);
HWY_EXPORT(tile_f64);
HWY_EXPORT(pack_f32);
HWY_EXPORT(pack_f64);
HWY_EXPORT(panel_bytes);

namespace {

constexpr int64_t most_rows_of_piece = 256;  // `most_rows` above

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

int64_t panel_width(DType dtype) { return static_cast<int64_t>(HWY_DYNAMIC_DISPATCH(panel_bytes)() / size_of(dtype)); }

ProductPieces pieces_of(const Product& product) {
  require(product.dtype == f32 || product.dtype == f64 || product.dtype == bf16, "multiply",
          "computes f32, f64 and bf16, got {}", product.dtype);
  // Multiply-adds of a piece; one row that goes along memory takes 512 columns, so that its runs are long.
  const bool along = product.rows == 1 && product.right_column_step == 1;
  const int64_t least_work = along ? 512 * product.depth : product.rows == 1 ? 1 << 17 : 1 << 19;
  // Fixed here and not by the vectors' length, so that pieces are the same with every instruction set.
  const int64_t width = product.dtype == f64 ? 16 : 32;
  const int64_t rows = std::max<int64_t>(product.rows, 1),
                panels = ceil_div(std::max<int64_t>(product.columns, 1), width);
  ProductPieces pieces{};
  pieces.rows = product.dtype == bf16 ? bf16_piece_rows : std::min<int64_t>(rows, most_rows_of_piece);
  // Few panels and many rows: shorter pieces, though each packs its columns again.
  while (ceil_div(rows, pieces.rows) * panels < 8 && pieces.rows > 64 &&
         pieces.rows * width * product.depth > 2 * least_work)
    pieces.rows = (pieces.rows / 2 + 7) / 8 * 8;
  // Many: several panels a piece, though not so many that threads wait for the last.
  int64_t enough = least_work / std::max<int64_t>(pieces.rows * width * product.depth, 1);
  // Few rows of bf16 wait for the weights: long runs of them, that memory can bring ahead, and a multiple of four.
  if (product.dtype == bf16 && rows <= 32) {
    const int64_t runs = ceil_div(width * panels * std::max<int64_t>(product.depth, 1), 4 << 18) * 4;
    enough = ceil_div(panels, runs);
  }
  const int64_t spare = std::min<int64_t>(ceil_div(rows, pieces.rows) * panels / 16, 4);
  pieces.columns = std::clamp<int64_t>(std::max(enough, spare), 1, panels) * width;
  pieces.down = product.rows ? ceil_div(product.rows, pieces.rows) : 0;
  pieces.across = product.columns ? ceil_div(product.columns, pieces.columns) : 0;
  return pieces;
}

void multiply_piece(const Product& product, const ProductPieces& pieces, int64_t index) {
  const int64_t row = index / pieces.across * pieces.rows, column = index % pieces.across * pieces.columns;
  const int64_t rows = std::min(pieces.rows, product.rows - row),
                columns = std::min(pieces.columns, product.columns - column);
  if (product.dtype == bf16) return multiply_piece_bf16(product, row, rows, column, columns);
  const auto tile = product.dtype == f32 ? HWY_DYNAMIC_DISPATCH(tile_f32) : HWY_DYNAMIC_DISPATCH(tile_f64);
  tile(product, static_cast<size_t>(row), static_cast<size_t>(rows), static_cast<size_t>(column),
       static_cast<size_t>(columns));
}

bool finishes_gelu(DType dtype) { return dtype == bf16 && dots_bf16_pairs(); }

void multiply(const Product& product) {
  multiply_batch(product, 1, [](int64_t) { return BatchOffsets{}; });
}

size_t packed_bytes(DType dtype, int64_t depth, int64_t columns) {
  if (dtype == bf16) return dots_bf16_pairs() ? bf16_pairs_bytes(depth, columns) : 0;
  const int64_t width = panel_width(dtype);
  return static_cast<size_t>(ceil_div(columns, width) * width * depth) * size_of(dtype);
}

void pack_right(const Product& product, void* packed) {
  if (product.dtype == bf16) return pack_bf16_pairs(product, packed);
  const auto pack = product.dtype == f32 ? HWY_DYNAMIC_DISPATCH(pack_f32) : HWY_DYNAMIC_DISPATCH(pack_f64);
  const int64_t width = panel_width(product.dtype);
  const int64_t panels = std::max<int64_t>(65536 / std::max<int64_t>(width * product.depth, 1), 1);
  parallel_for(ceil_div(product.columns, width), panels, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) pack(product, static_cast<size_t>(i * width), packed);
  });
}

}  // namespace percale::cpu

#endif
