// Tensors made from a value, and the primitives that core asks for: fill, copy, cast, add_into (core/primitives.h).
#pragma once

#include <initializer_list>
#include <vector>

#include "../../core/primitives.h"
#include "../../core/tensor.h"

namespace percale {

/// A tensor of `shape` filled with zeros, ones or `value`. Any dtype, any device.
Tensor zeros(const Shape& shape, TensorOptions options = {});
Tensor ones(const Shape& shape, TensorOptions options = {});
Tensor full(const Shape& shape, double value, TensorOptions options = {});
/// Zeros or ones of another tensor's shape, dtype, device and stride order.
Tensor zeros_like(const Tensor& other);
Tensor ones_like(const Tensor& other);

/// start, start + step, ... below `end`: ceil((end - start) / step) elements. i64 unless `options` says otherwise.
Tensor arange(double start, double end, double step = 1, TensorOptions options = {i64, cpu_device});
inline Tensor arange(int64_t end, TensorOptions options = {i64, cpu_device}) {
  return arange(0, static_cast<double>(end), 1, options);
}
/// The [size, size] identity matrix.
Tensor eye(int64_t size, TensorOptions options = {});

/// A tensor of the given elements, one dimension: `tensor({1.f, 2.f})` is f32, `tensor({1, 2})` i64 as in PyTorch.
Tensor tensor(std::initializer_list<float> values, Device device = cpu_device);
Tensor tensor(std::initializer_list<double> values, Device device = cpu_device);
Tensor tensor(std::initializer_list<int> values, Device device = cpu_device);
Tensor tensor(std::initializer_list<int64_t> values, Device device = cpu_device);
/// Rows of equal length: `tensor({{1.f, 2.f}, {3.f, 4.f}})`.
Tensor tensor(std::initializer_list<std::initializer_list<float>> rows, Device device = cpu_device);
/// The elements of a vector.
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape, Device device = cpu_device) {
  require(shape.numel() == static_cast<int64_t>(values.size()), "from_vector", "shape {} does not hold {} values",
          shape, values.size());
  Tensor result = Tensor::empty(shape, {dtype_of<T>, cpu_device});
  std::copy(values.begin(), values.end(), result.data<T>());
  return result.to(device);
}

}  // namespace percale
