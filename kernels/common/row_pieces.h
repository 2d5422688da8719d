// Rows of a matrix on the CPU as numbers of one type, whatever their dtype, and sums over rows that are cut into pieces
// by their number alone: so the bytes are the same at any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../../core/cpu/threads.h"
#include "../../core/tensor.h"
#include "convert.h"
#include "half_rows.h"

namespace percale::cpu {

/// Rows of a tensor as numbers of T.
template <class T>
class RowReader {
 public:
  RowReader(const Tensor& rows, int64_t width) : data_(rows.defined() ? rows.data() : nullptr), width_(width) {
    if (rows.defined()) dtype_ = rows.dtype();
  }
  explicit operator bool() const { return data_ != nullptr; }
  bool converts() const { return data_ && dtype_ != dtype_of<T>; }
  /// From row `row` on `count` rows: where they lie, or converted into `buffer`.
  const T* read(int64_t row, int64_t count, T* buffer) const {
    if (!converts()) return static_cast<const T*>(data_) + row * width_;
    if constexpr (std::is_same_v<T, float>) {
      const auto size = static_cast<size_t>(count * width_);
      if (dtype_ == f16)
        floats_of(static_cast<const half*>(data_) + row * width_, buffer, size);
      else
        floats_of(static_cast<const bfloat16*>(data_) + row * width_, buffer, size);
    }
    return buffer;
  }

 private:
  const void* data_;
  int64_t width_;
  DType dtype_ = dtype_of<T>;
};

/// Rows of a tensor to be written as numbers of T.
template <class T>
class RowWriter {
 public:
  RowWriter(const Tensor& rows, int64_t width) : data_(rows.defined() ? rows.data() : nullptr), width_(width) {
    if (rows.defined()) dtype_ = rows.dtype();
  }
  bool converts() const { return !data_ || dtype_ != dtype_of<T>; }
  /// Where row `row` is to be put before `written` is called.
  T* place(int64_t row, T* buffer) const { return converts() ? buffer : static_cast<T*>(data_) + row * width_; }
  void written(int64_t row, int64_t count, const T* from) const {
    if (!data_) return;
    if constexpr (std::is_same_v<T, float>) {
      const auto size = static_cast<size_t>(count * width_);
      if (dtype_ == f16)
        rounded_floats(from, static_cast<half*>(data_) + row * width_, size);
      else if (dtype_ == bf16)
        rounded_floats(from, static_cast<bfloat16*>(data_) + row * width_, size);
    }
    if (dtype_ == dtype_of<T> && from != static_cast<T*>(data_) + row * width_)
      std::copy_n(from, count * width_, static_cast<T*>(data_) + row * width_);
  }

 private:
  void* data_;
  int64_t width_;
  DType dtype_ = dtype_of<T>;
};

/// How many of `rows` rows are summed by one thread, in their order, before the pieces' sums are: a multiple of
/// `together`.
inline int64_t rows_of_piece(int64_t rows, int64_t together = 1) {
  const int64_t piece = std::max<int64_t>(32, (rows + 63) / 64);
  return (piece + together - 1) / together * together;
}

/// Adds up what the pieces of [pieces, width] have, in order and in f64.
template <class Partial>
void sum_pieces(const Partial* partial, int64_t pieces, int64_t step, int64_t width, const Tensor& result) {
  if (!result.defined()) return;
  parallel_for(width, 256, [&](int64_t begin, int64_t end) {
    double sums[256] = {};
    for (int64_t piece = 0; piece < pieces; ++piece)
      for (int64_t i = begin; i < end; ++i) sums[i - begin] += static_cast<double>(partial[piece * step + i]);
    visit_floating("sum_pieces", result.dtype(), [&]<class T>() {
      for (int64_t i = begin; i < end; ++i) result.data<T>()[i] = convert_to<T>(sums[i - begin]);
    });
  });
}

}  // namespace percale::cpu
