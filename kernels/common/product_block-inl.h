// The innermost loops of products: packed columns times a few rows, each element one chain of fused multiply-adds in
// the order of the depth. For a `_cpu.cpp` file, after <hwy/highway.h>.
#if defined(PERCALE_PRODUCT_BLOCK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_PRODUCT_BLOCK_INL_H
#undef PERCALE_PRODUCT_BLOCK_INL_H
#else
#define PERCALE_PRODUCT_BLOCK_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Rows that are computed together: as many as leave their sums in registers (16 or 32 of them).
constexpr int row_block = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3 ? 6 : 8;

template <class T>
constexpr size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
template <class T>
constexpr size_t panel = 2 * lanes<T>;  // columns of a packed block

/// Operands of the innermost loop: `depth` steps, sums kept in `out` from block to block.
template <class T>
struct Block {
  const T* left;
  size_t left_row_step, left_depth_step;
  size_t left_block_step;  ///< from `row_block` rows to the next
  const T* right;          ///< a packed panel
  size_t depth;
  T* out;
  size_t out_row_step;
  bool first;
};

/// `rows` rows by `vectors` vectors of columns.
template <int rows, int vectors, class T>
HWY_INLINE void multiply_rows(const Block<T>& block, const T* HWY_RESTRICT left, T* HWY_RESTRICT out) {
  const hn::ScalableTag<T> d;
  hn::Vec<decltype(d)> sums[rows][vectors];
  size_t starts[rows];
  HWY_UNROLL(8)
  for (int r = 0; r < rows; ++r) {
    starts[r] = static_cast<size_t>(r) * block.left_row_step;
    HWY_UNROLL(2)
    for (int v = 0; v < vectors; ++v) {
      T* at = out + static_cast<size_t>(r) * block.out_row_step + v * lanes<T>;
      if (block.first) __builtin_prefetch(at, 1);  // there to be written once the sum is done
      sums[r][v] = block.first ? hn::Zero(d) : hn::LoadU(d, at);
    }
  }
  const T* HWY_RESTRICT right = block.right;
  for (size_t k = 0; k < block.depth; ++k) {
    hn::Vec<decltype(d)> columns[vectors];
    HWY_UNROLL(2)
    for (int v = 0; v < vectors; ++v) columns[v] = hn::LoadU(d, right + v * lanes<T>);
    HWY_UNROLL(8)
    for (int r = 0; r < rows; ++r) {
      const auto factor = hn::Set(d, left[starts[r]]);
      HWY_UNROLL(2)
      for (int v = 0; v < vectors; ++v) sums[r][v] = hn::MulAdd(factor, columns[v], sums[r][v]);
    }
    left += block.left_depth_step;
    right += panel<T>;
  }
  HWY_UNROLL(8)
  for (int r = 0; r < rows; ++r) {
    HWY_UNROLL(2)
    for (int v = 0; v < vectors; ++v)
      hn::StoreU(sums[r][v], d, out + static_cast<size_t>(r) * block.out_row_step + v * lanes<T>);
  }
}

template <int vectors, class T>
void multiply_block(const Block<T>& block, size_t rows) {
  const T* left = block.left;
  T* out = block.out;
  auto step = [&](auto count) {
    multiply_rows<decltype(count)::value, vectors>(block, left, out);
    left += decltype(count)::value == row_block ? block.left_block_step : decltype(count)::value * block.left_row_step;
    out += decltype(count)::value * block.out_row_step;
    rows -= decltype(count)::value;
  };
  while (rows >= row_block) step(std::integral_constant<int, row_block>{});
  if (rows >= 4) step(std::integral_constant<int, 4>{});
  if (rows >= 2) step(std::integral_constant<int, 2>{});
  if (rows >= 1) step(std::integral_constant<int, 1>{});
}

#if HWY_TARGET != HWY_SCALAR
/// The transpose of a square: vector k gets the k-th element of each of `lanes` columns, whose elements are neighbours.
/// Each column is read by one load, so that a line of the cache is touched once even where columns share its set.
template <class D, class T>
HWY_INLINE void load_transposed(D d, const T* from, size_t step, hn::Vec<D>* rows) {
  constexpr size_t within = 16 / sizeof(T), blocks = lanes<T> / within;  // elements of a block of 16 bytes, and blocks
  hn::Vec<D> parts[within][blocks];
  HWY_UNROLL(4)
  for (size_t g = 0; g < blocks; ++g, from += within * step) {
    if constexpr (within == 4) {
      const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + step);
      const auto c = hn::LoadU(d, from + 2 * step), e = hn::LoadU(d, from + 3 * step);
      const auto ac_low = hn::InterleaveLower(d, a, c), be_low = hn::InterleaveLower(d, b, e);
      const auto ac_high = hn::InterleaveUpper(d, a, c), be_high = hn::InterleaveUpper(d, b, e);
      parts[0][g] = hn::InterleaveLower(d, ac_low, be_low);
      parts[1][g] = hn::InterleaveUpper(d, ac_low, be_low);
      parts[2][g] = hn::InterleaveLower(d, ac_high, be_high);
      parts[3][g] = hn::InterleaveUpper(d, ac_high, be_high);
    } else {
      const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + step);
      parts[0][g] = hn::InterleaveLower(d, a, b);
      parts[1][g] = hn::InterleaveUpper(d, a, b);
    }
  }
  HWY_UNROLL(4)
  for (size_t i = 0; i < within; ++i) {
    if constexpr (blocks == 1) {
      rows[i] = parts[i][0];
    } else if constexpr (blocks == 2) {
      rows[i] = hn::ConcatLowerLower(d, parts[i][1], parts[i][0]);
      rows[within + i] = hn::ConcatUpperUpper(d, parts[i][1], parts[i][0]);
    } else {
      const auto even_low = hn::ConcatLowerLower(d, parts[i][2], parts[i][0]);
      const auto even_high = hn::ConcatUpperUpper(d, parts[i][2], parts[i][0]);
      const auto odd_low = hn::ConcatLowerLower(d, parts[i][3], parts[i][1]);
      const auto odd_high = hn::ConcatUpperUpper(d, parts[i][3], parts[i][1]);
      rows[i] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(odd_low), even_low);
      rows[within + i] = hn::OddEvenBlocks(odd_low, hn::SwapAdjacentBlocks(even_low));
      rows[2 * within + i] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(odd_high), even_high);
      rows[3 * within + i] = hn::OddEvenBlocks(odd_high, hn::SwapAdjacentBlocks(even_high));
    }
  }
}

/// A whole panel of columns whose elements are neighbours. Returns how much of the depth it has packed.
template <class T>
size_t pack_transposed(const T* from, size_t column_step, size_t depth, T* HWY_RESTRICT packed) {
  const hn::ScalableTag<T> d;
  for (size_t group = 0; group < 2; ++group) {
    const T* columns = from + group * lanes<T> * column_step;
    T* to = packed + group * lanes<T>;
    for (size_t k = 0; k + lanes<T> <= depth; k += lanes<T>) {
      hn::Vec<decltype(d)> square[lanes<T>];
      load_transposed(d, columns + k, column_step, square);
      HWY_UNROLL(16)
      for (size_t i = 0; i < lanes<T>; ++i) hn::StoreU(square[i], d, to + (k + i) * panel<T>);
    }
  }
  return depth / lanes<T> * lanes<T>;
}

#endif

/// `depth` rows of `width` columns into rows of a whole panel, zeros behind the last column.
template <class T>
void pack_block(const T* from, size_t depth_step, size_t column_step, size_t depth, size_t width,
                T* HWY_RESTRICT packed) {
  const hn::ScalableTag<T> d;
  size_t k = 0;
  if (width == panel<T> && column_step == 1) {
    for (; k < depth; ++k) {
      hn::StoreU(hn::LoadU(d, from + k * depth_step), d, packed + k * panel<T>);
      hn::StoreU(hn::LoadU(d, from + k * depth_step + lanes<T>), d, packed + k * panel<T> + lanes<T>);
    }
  }
#if HWY_TARGET != HWY_SCALAR
  if (width == panel<T> && depth_step == 1 && column_step != 1) k = pack_transposed(from, column_step, depth, packed);
#endif
  for (; k < depth; ++k) {
    T* to = packed + k * panel<T>;
    for (size_t c = 0; c < width; ++c) to[c] = from[k * depth_step + c * column_step];
    for (size_t c = width; c < panel<T>; ++c) to[c] = T(0);
  }
}

}  // namespace
}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
