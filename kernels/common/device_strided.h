// Where the elements of strided tensors lie: a table passed to kernels by value, dimensions merged on the host where
// every operand allows it. Part of device.h.
#pragma once

#include "../../core/shape.h"

namespace percale::cuda {

/// The offsets, in elements, of one logical element in each of `operands` tensors of one shape.
template <int operands>
struct Offsets {
  int64_t of[operands];
  PERCALE_HOST_DEVICE int64_t operator[](int operand) const { return of[operand]; }
};

/// Shape and strides of `operands` tensors that are walked together in row-major order of their common shape.
/// Dimension 0 is the innermost; a stride of 0 repeats (broadcasting).
template <int operands>
struct StridedLayout {
  int64_t extents[Shape::max_rank];
  int64_t strides[operands][Shape::max_rank];
  int64_t count;
  int rank;
  bool narrow;      ///< every index fits 32 bits: division is much cheaper
  bool contiguous;  ///< offset = index for every operand

  /// Where the element that is `index`-th in row-major order stands.
  PERCALE_HOST_DEVICE Offsets<operands> offsets(int64_t index) const {
    Offsets<operands> result{};
    if (narrow)
      walk(static_cast<uint32_t>(index), result);
    else
      walk(static_cast<uint64_t>(index), result);
    return result;
  }

 private:
  template <class Index>
  PERCALE_HOST_DEVICE void walk(Index index, Offsets<operands>& result) const {
    for (int dim = 0; dim < rank; ++dim) {
      const Index extent = static_cast<Index>(extents[dim]), rest = index / extent, here = index - rest * extent;
      for (int operand = 0; operand < operands; ++operand)
        result.of[operand] += static_cast<int64_t>(here) * strides[operand][dim];
      index = rest;
    }
  }
};

/// The layout of tensors of shape `shape` with these strides. Dimensions of extent 1 vanish, neighbours that every
/// operand walks as one are merged: contiguous tensors end with rank 1.
template <class... OperandStrides>
StridedLayout<static_cast<int>(sizeof...(OperandStrides))> strided_layout(const Shape& shape,
                                                                          const OperandStrides&... operand_strides) {
  constexpr int operands = static_cast<int>(sizeof...(OperandStrides));
  const Strides* all[] = {&operand_strides...};
  StridedLayout<operands> layout{};
  layout.count = shape.numel();
  layout.narrow = layout.count < (int64_t{1} << 31);
  for (int dim = shape.rank() - 1; dim >= 0; --dim) {
    if (shape[dim] == 1) continue;
    const int last = layout.rank - 1;
    bool merges = layout.rank > 0;
    for (int operand = 0; merges && operand < operands; ++operand)
      merges = (*all[operand])[dim] == layout.strides[operand][last] * layout.extents[last];
    if (merges) {
      layout.extents[last] *= shape[dim];
      continue;
    }
    layout.extents[layout.rank] = shape[dim];
    for (int operand = 0; operand < operands; ++operand) layout.strides[operand][layout.rank] = (*all[operand])[dim];
    ++layout.rank;
  }
  layout.contiguous = layout.rank <= 1;
  for (int operand = 0; layout.rank == 1 && operand < operands; ++operand)
    layout.contiguous = layout.contiguous && layout.strides[operand][0] == 1;
  return layout;
}

}  // namespace percale::cuda
