#include "fill.h"

#include <cmath>
#include <cstring>

#include "../../core/autograd.h"
#include "../../core/cuda/runtime.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "fill_twins.h"

namespace percale {
namespace {

/// Between host and device: dense bytes in the same order, by way of a dense copy on either side where needed.
void copy_across(const Tensor& source, const Tensor& target) {
  if constexpr (has_cuda) {
    const bool same_order = source.is_dense() && source.strides() == target.strides();
    const Tensor from = same_order ? source : source.detach().contiguous();
    const bool direct = target.is_dense() && target.dtype() == from.dtype() && from.strides() == target.strides();
    const Tensor to =
        direct ? target : Tensor::empty_strided(from.shape(), from.strides(), {from.dtype(), target.device()});
    const auto kind = source.device().is_cpu() ? cuda::CopyKind::host_to_device : cuda::CopyKind::device_to_host;
    const size_t bytes = static_cast<size_t>(from.numel()) * size_of(from.dtype());
    cuda::copy_async(to.data(), from.data(), bytes, kind, cuda::current_stream());
    cuda::synchronize(cuda::current_stream());  // host memory is pageable, and its reader follows at once
    if (!direct) copy(to, target);
  }
}

template <class T, class Values>
Tensor vector_of(const Values& values, Device device) {
  Tensor result = Tensor::empty({static_cast<int64_t>(values.size())}, {dtype_of<T>, cpu_device});
  std::copy(values.begin(), values.end(), result.data<T>());
  return result.to(device);
}

}  // namespace

void fill(const Tensor& target, double value) {
  if (target.numel()) on<cpu::fill, cuda::fill>(target.device(), target, value);
}

void copy(const Tensor& source, const Tensor& target) {
  require(source.shape() == target.shape(), "copy", "the source has shape {}, the target {}", source.shape(),
          target.shape());
  if (!source.numel()) return;
  if (source.device() != target.device()) return copy_across(source, target);
  on<cpu::copy, cuda::copy>(target.device(), source, target);
}

void add_into(const Tensor& target, const Tensor& addend) {
  require(target.shape() == addend.shape() && target.dtype() == addend.dtype(), "add_into",
          "expected {} of {}, got {} of {}", target.shape(), target.dtype(), addend.shape(), addend.dtype());
  require_same_device("add_into", {&target, &addend});
  if (target.numel()) on<cpu::add_into, cuda::add_into>(target.device(), target, addend);
  target.mark_written("add_into");
}

Tensor cast(const Tensor& source, DType dtype) {
  const Operation operation{"cast"};
  Tensor result = Tensor::empty_like(source, dtype);
  copy(source, result);
  return record(
      "ToCopyBackward0", result, {source}, {},
      [from = source.dtype()](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0].to(from)}; });
}

Tensor full(const Shape& shape, double value, TensorOptions options) {
  const Operation operation{"full"};
  Tensor result = Tensor::empty(shape, options);
  fill(result, value);
  return result;
}

Tensor zeros(const Shape& shape, TensorOptions options) { return full(shape, 0, options); }
Tensor ones(const Shape& shape, TensorOptions options) { return full(shape, 1, options); }

Tensor zeros_like(const Tensor& other) {
  Tensor result = Tensor::empty_like(other);
  fill(result, 0);
  return result;
}

Tensor ones_like(const Tensor& other) {
  Tensor result = Tensor::empty_like(other);
  fill(result, 1);
  return result;
}

Tensor arange(double start, double end, double step, TensorOptions options) {
  require(step != 0 && (end - start) / step >= 0, "arange", "{} to {} by {} never arrives", start, end, step);
  const auto count = static_cast<int64_t>(std::ceil((end - start) / step));
  Tensor result = Tensor::empty({count}, {is_floating(options.dtype) ? f64 : i64, cpu_device});
  for (int64_t i = 0; i < count; ++i) {
    const double value = start + static_cast<double>(i) * step;
    if (is_floating(options.dtype))
      result.data<double>()[i] = value;
    else
      result.data<int64_t>()[i] = static_cast<int64_t>(value);
  }
  return result.to(options.dtype).to(options.device);
}

Tensor eye(int64_t size, TensorOptions options) {
  Tensor result = zeros({size, size}, options);
  fill(Tensor::from_storage(result.storage(), {size}, {size + 1}, 0, options.dtype), 1);
  return result;
}

Tensor tensor(std::initializer_list<float> values, Device device) { return vector_of<float>(values, device); }
Tensor tensor(std::initializer_list<double> values, Device device) { return vector_of<float>(values, device); }
Tensor tensor(std::initializer_list<int> values, Device device) { return vector_of<int64_t>(values, device); }
Tensor tensor(std::initializer_list<int64_t> values, Device device) { return vector_of<int64_t>(values, device); }

Tensor tensor(std::initializer_list<std::initializer_list<float>> rows, Device device) {
  std::vector<float> values;
  const auto columns = static_cast<int64_t>(rows.size() ? rows.begin()->size() : 0);
  for (const auto& row : rows) {
    require(static_cast<int64_t>(row.size()) == columns, "tensor", "rows of {} and of {} elements", columns,
            row.size());
    values.insert(values.end(), row.begin(), row.end());
  }
  return from_vector(values, {static_cast<int64_t>(rows.size()), columns}, device);
}

}  // namespace percale
