// The extents of a tensor: up to eight integers, kept inline.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace percale {

/// Extents, strides or positions of a tensor of up to eight dimensions. A value; no allocation.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) : Shape(std::span<const int64_t>(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const int64_t> extents);
  Shape(const std::vector<int64_t>& extents) : Shape(std::span<const int64_t>(extents)) {}
  /// `rank` times the same number.
  static Shape filled(int rank, int64_t value);

  int rank() const { return rank_; }
  int size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](int dim) const { return extents_[dim]; }
  int64_t& operator[](int dim) { return extents_[dim]; }
  int64_t back() const { return extents_[rank_ - 1]; }
  const int64_t* begin() const { return extents_.data(); }
  const int64_t* end() const { return extents_.data() + rank_; }
  int64_t* begin() { return extents_.data(); }
  int64_t* end() { return extents_.data() + rank_; }

  void push_back(int64_t extent);
  void insert(int dim, int64_t extent);
  void erase(int dim);

  /// The product of all extents; 1 for rank 0.
  int64_t numel() const {
    int64_t product = 1;
    for (int64_t extent : *this) product *= extent;
    return product;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.extents_[i] != b.extents_[i]) return false;
    return true;
  }

 private:
  std::array<int64_t, max_rank> extents_{};
  int rank_ = 0;
};

using Strides = Shape;

/// `[2, 3]`
std::string text(const Shape& shape);
/// `(2, 17)`: where the element that is `position`-th in row-major order stands; a plain number for rank 0 and 1.
std::string position_text(int64_t position, const Shape& shape);
/// `extents` with one more at the end.
Shape append(Shape extents, int64_t extent);
/// Row-major strides; an extent of 0 counts as 1, as in PyTorch.
Strides contiguous_strides(const Shape& shape);
/// Strides of an image batch [N, C, H, W] whose channels lie next to each other. Rank 4.
Strides channels_last_strides(const Shape& shape);
/// Row-major strides of `shape` with the dimensions in the order of `like`'s strides, outermost first.
Strides strides_in_order_of(const Shape& shape, const Strides& like);
/// The common shape of two operands after broadcasting, or an error that names `operation`.
Shape broadcast(const char* operation, const Shape& a, const Shape& b);
/// `dim` counted from the front; negative ones count from the back. An error that names `operation` if out of range.
int wrap_dim(const char* operation, int64_t dim, int rank);

}  // namespace percale
