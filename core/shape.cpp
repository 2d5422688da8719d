#include "shape.h"

#include <algorithm>
#include <numeric>

#include "error.h"

namespace percale {

Shape::Shape(std::span<const int64_t> extents) {
  require(extents.size() <= max_rank, "shape", "a tensor has at most {} dimensions, got {}", max_rank, extents.size());
  std::copy(extents.begin(), extents.end(), extents_.begin());
  rank_ = static_cast<int>(extents.size());
}

Shape Shape::filled(int rank, int64_t value) { return Shape(std::vector<int64_t>(static_cast<size_t>(rank), value)); }

void Shape::push_back(int64_t extent) { insert(rank_, extent); }

void Shape::insert(int dim, int64_t extent) {
  require(rank_ < max_rank, "shape", "a tensor has at most {} dimensions", max_rank);
  std::copy_backward(begin() + dim, end(), end() + 1);
  extents_[dim] = extent;
  ++rank_;
}

void Shape::erase(int dim) {
  std::copy(begin() + dim + 1, end(), begin() + dim);
  extents_[--rank_] = 0;
}

std::string text(const Shape& shape) {
  std::string result = "[";
  for (int i = 0; i < shape.rank(); ++i) result += (i ? ", " : "") + std::to_string(shape[i]);
  return result + "]";
}

std::string position_text(int64_t position, const Shape& shape) {
  if (shape.rank() <= 1) return std::to_string(position);
  std::string result;
  for (int dim = shape.rank() - 1; dim >= 0; --dim) {
    const int64_t extent = std::max<int64_t>(shape[dim], 1);
    result = std::to_string(position % extent) + (result.empty() ? "" : ", ") + result;
    position /= extent;
  }
  return "(" + result + ")";
}

Shape append(Shape extents, int64_t extent) {
  extents.push_back(extent);
  return extents;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  int64_t stride = 1;
  for (int dim = shape.rank() - 1; dim >= 0; --dim) {
    strides[dim] = stride;
    stride *= std::max<int64_t>(shape[dim], 1);
  }
  return strides;
}

Strides channels_last_strides(const Shape& shape) {
  require(shape.rank() == 4, "channels_last", "needs [N, C, H, W], got {}", shape);
  const int64_t channels = std::max<int64_t>(shape[1], 1), width = std::max<int64_t>(shape[3], 1);
  return {std::max<int64_t>(shape[2], 1) * width * channels, 1, width * channels, channels};
}

Shape broadcast(const char* operation, const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape result = longer;
  const int offset = longer.rank() - shorter.rank();
  for (int dim = 0; dim < shorter.rank(); ++dim) {
    int64_t& extent = result[dim + offset];
    const bool fits = extent == shorter[dim] || extent == 1 || shorter[dim] == 1;
    require(fits, operation, "shapes {} and {} do not broadcast: they differ at dimension {}", a, b, dim + offset);
    if (extent == 1) extent = shorter[dim];
  }
  return result;
}

int wrap_dim(const char* operation, int64_t dim, int rank) {
  const int64_t limit = std::max(rank, 1);
  require(dim >= -limit && dim < limit, operation, "dimension {} is out of range: expected {} to {}", dim, -limit,
          limit - 1);
  return static_cast<int>(dim < 0 ? dim + limit : dim);
}

Strides strides_in_order_of(const Shape& shape, const Strides& like) {
  std::array<int, Shape::max_rank> order{};
  std::iota(order.begin(), order.begin() + shape.rank(), 0);
  std::stable_sort(order.begin(), order.begin() + shape.rank(), [&](int a, int b) { return like[a] > like[b]; });
  Strides strides = shape;
  int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[order[i]] = stride;
    stride *= std::max<int64_t>(shape[order[i]], 1);
  }
  return strides;
}

}  // namespace percale
