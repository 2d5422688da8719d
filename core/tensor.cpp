#include "tensor.h"

#include <algorithm>

#include "autograd.h"
#include "cuda/runtime.h"
#include "primitives.h"
#include "trace.h"

namespace percale {
namespace {

/// True if stepping through `shape` by `strides` visits memory as `expected` does (extents of 1 do not step).
bool same_steps(const Shape& shape, const Strides& strides, const Strides& expected) {
  for (int dim = 0; dim < shape.rank(); ++dim)
    if (shape[dim] != 1 && strides[dim] != expected[dim]) return false;
  return true;
}

int64_t checked_bytes(const Shape& shape, DType dtype) {
  int64_t bytes = static_cast<int64_t>(size_of(dtype));
  for (int64_t extent : shape) {
    require(extent >= 0, "empty", "extents cannot be negative, got {}", shape);
    require(!__builtin_mul_overflow(bytes, extent, &bytes), "empty", "a tensor of shape {} is too large", shape);
  }
  return bytes;
}

}  // namespace

Tensor Tensor::from_storage(std::shared_ptr<Storage> storage, const Shape& shape, const Strides& strides,
                            int64_t offset, DType dtype) {
  Tensor tensor;
  tensor.impl_ = std::make_shared<Impl>();
  tensor.impl_->storage = std::move(storage);
  tensor.impl_->shape = shape;
  tensor.impl_->strides = strides;
  tensor.impl_->offset = offset;
  tensor.impl_->count = shape.numel();
  tensor.impl_->dtype = dtype;
  return tensor;
}

Tensor Tensor::empty(const Shape& shape, TensorOptions options) {
  checked_bytes(shape, options.dtype);  // before strides are computed, which would overflow
  return empty_strided(shape, contiguous_strides(shape), options);
}

Tensor Tensor::empty_strided(const Shape& shape, const Strides& strides, TensorOptions options) {
  require(options.device.is_cpu() || cuda_available(), "empty", "device {} is not there: {}", options.device,
          reason_without_cuda());
  const int64_t bytes = checked_bytes(shape, options.dtype);
  auto storage = std::make_shared<Storage>(static_cast<size_t>(bytes), options.device);
  return from_storage(std::move(storage), shape, strides, 0, options.dtype);
}

Tensor Tensor::empty_channels_last(const Shape& shape, TensorOptions options) {
  checked_bytes(shape, options.dtype);
  return empty_strided(shape, channels_last_strides(shape), options);
}

Tensor Tensor::empty_like(const Tensor& other) { return empty_like(other, other.dtype()); }

Tensor Tensor::empty_like(const Tensor& other, DType dtype) {
  return empty_strided(other.shape(), strides_in_order_of(other.shape(), other.strides()), {dtype, other.device()});
}

Tensor Tensor::from_blob(void* data, const Shape& shape, TensorOptions options, std::function<void(void*)> deleter) {
  const int64_t bytes = checked_bytes(shape, options.dtype);
  auto storage = std::make_shared<Storage>(data, static_cast<size_t>(bytes), options.device, std::move(deleter));
  return from_storage(std::move(storage), shape, contiguous_strides(shape), 0, options.dtype);
}

bool Tensor::is_contiguous() const {
  return numel() == 0 || same_steps(shape(), strides(), contiguous_strides(shape()));
}

bool Tensor::is_channels_last() const {
  return rank() == 4 && (numel() == 0 || same_steps(shape(), strides(), channels_last_strides(shape())));
}

bool Tensor::is_dense() const {
  return numel() == 0 || same_steps(shape(), strides(), strides_in_order_of(shape(), strides()));
}

double Tensor::item_as_double() const {
  require(numel() == 1, "item", "needs a tensor with one element, got shape {}", shape());
  Tensor value = detach().to(TensorOptions{f64, cpu_device});
  return *value.data<double>();
}

int64_t Tensor::item_as_integer() const {
  require(numel() == 1, "item", "needs a tensor with one element, got shape {}", shape());
  Tensor value = detach().to(TensorOptions{i64, cpu_device});
  return *value.data<int64_t>();
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  Tensor result = empty(shape(), options());
  copy(*this, result);
  return record("CloneBackward0", result, {*this}, {},
                [](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0]}; });
}

Tensor Tensor::channels_last() const {
  if (is_channels_last()) return *this;
  Tensor result = empty_channels_last(shape(), options());
  copy(*this, result);
  return record("CloneBackward0", result, {*this}, {},
                [](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0]}; });
}

Tensor Tensor::clone() const {
  Tensor result = empty_like(*this);
  copy(*this, result);
  return record("CloneBackward0", result, {*this}, {},
                [](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0]}; });
}

Tensor Tensor::to(DType dtype) const { return dtype == this->dtype() ? *this : cast(*this, dtype); }

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  Tensor result = empty_strided(shape(), strides_in_order_of(shape(), strides()), {dtype(), device});
  copy(*this, result);
  return record("ToCopyBackward0", result, {*this}, {},
                [source = this->device()](const Tensors& gradients, const Saved&) -> Tensors {
                  return {gradients[0].to(source)};
                });
}

/// Converts on the side where the bytes are fewer to carry.
Tensor Tensor::to(TensorOptions options) const {
  if (size_of(options.dtype) < size_of(dtype())) return to(options.dtype).to(options.device);
  return to(options.device).to(options.dtype);
}

void Tensor::set_data(const Tensor& other) const {
  require(is_leaf(), "set_data", "only a leaf can be given other elements; this is the output of {}", grad_fn());
  require(!requires_grad() || is_floating(other.dtype()), "set_data",
          "a tensor that requires its gradient cannot be {}", other.dtype());
  std::shared_ptr<AutogradPart> autograd = std::move(impl_->autograd);
  *impl_ = *other.impl_;
  impl_->autograd = std::move(autograd);
}

void Tensor::copy_(const Tensor& source) const {
  const Operation operation{"copy_"};
  require_writable("copy_", *this);
  require(!grad_enabled() || !source.requires_grad(), "copy_", "the source has history; detach() it, or use clone()");
  copy(source.shape() == shape() ? source : source.expand(shape()), *this);
  mark_written("copy_");
}

void Tensor::fill_(double value) const {
  const Operation operation{"fill_"};
  require_writable("fill_", *this);
  fill(*this, value);
  mark_written("fill_");
}

void require_same_device(const char* operation, std::initializer_list<const Tensor*> tensors) {
  const Tensor* first = nullptr;
  for (const Tensor* tensor : tensors) {
    if (!tensor || !tensor->defined()) continue;
    if (!first) first = tensor;
    require(tensor->device() == first->device(), operation, "expected all tensors on {}, got one on {}",
            first->device(), tensor->device());
  }
}

}  // namespace percale
