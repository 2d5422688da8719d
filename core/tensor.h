// The tensor: a cheap value that shares its memory, knows its shape and, if asked, its history.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "device.h"
#include "dtype.h"
#include "error.h"
#include "shape.h"
#include "storage.h"

namespace percale {

class Tensor;
class Node;
struct AutogradPart;
using Tensors = std::vector<Tensor>;

struct TensorOptions {
  DType dtype = f32;
  Device device = cpu_device;
};

/// An n-dimensional array (rank 0 to 8) of one dtype on one device.
///
/// Copying a Tensor copies a reference: both names see the same elements, gradient and history. Views (`transpose`,
/// `slice`, ...) share memory with what they view. Reading one tensor from many threads is safe; writing is not.
class Tensor {
 public:
  /// Undefined: has no elements, no shape; `defined()` is false.
  Tensor() = default;

  /// Uninitialised, row-major.
  static Tensor empty(const Shape& shape, TensorOptions options = {});
  /// Uninitialised, with the given strides (a permutation of a dense layout).
  static Tensor empty_strided(const Shape& shape, const Strides& strides, TensorOptions options = {});
  /// Uninitialised images [N, C, H, W] whose channels lie next to each other in memory.
  static Tensor empty_channels_last(const Shape& shape, TensorOptions options = {});
  /// Uninitialised, of `other`'s shape, dtype, device and order of strides (dense even where `other` is not).
  static Tensor empty_like(const Tensor& other);
  static Tensor empty_like(const Tensor& other, DType dtype);
  /// Foreign memory, row-major; `deleter` is called with it when the last view is gone.
  static Tensor from_blob(void* data, const Shape& shape, TensorOptions options = {},
                          std::function<void(void*)> deleter = {});
  /// A view of `storage`: what the view methods are made of. No history.
  static Tensor from_storage(std::shared_ptr<Storage> storage, const Shape& shape, const Strides& strides,
                             int64_t offset, DType dtype);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl_->shape; }
  const Strides& strides() const { return impl_->strides; }
  /// Extent of `dim`; negative ones count from the back.
  int64_t size(int64_t dim) const { return impl_->shape[wrap_dim("size", dim, rank())]; }
  int64_t stride(int64_t dim) const { return impl_->strides[wrap_dim("stride", dim, rank())]; }
  int rank() const { return impl_->shape.rank(); }
  int64_t numel() const { return impl_->count; }
  int64_t offset() const { return impl_->offset; }
  DType dtype() const { return impl_->dtype; }
  Device device() const { return impl_->storage->device(); }
  TensorOptions options() const { return {dtype(), device()}; }
  const std::shared_ptr<Storage>& storage() const { return impl_->storage; }
  bool is_contiguous() const;
  /// Rank 4 and dense with the channels innermost (a [N, 1, H, W] or [N, C, 1, 1] tensor may be both this and
  /// contiguous).
  bool is_channels_last() const;
  /// Elements fill their memory without holes or overlaps, in whatever order of dimensions.
  bool is_dense() const;
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }

  /// The first element's address. Device memory for CUDA tensors.
  void* data() const {
    return static_cast<char*>(impl_->storage->data()) + impl_->offset * static_cast<int64_t>(size_of(impl_->dtype));
  }
  /// As `data()`, typed; an error if T is not the dtype's type.
  template <class T>
  T* data() const {
    require(dtype_of<T> == dtype(), "data", "elements are {}, not {}", dtype(), dtype_of<T>);
    return static_cast<T*>(data());
  }
  /// The elements of a contiguous CPU tensor in logical order; an error for any other.
  template <class T>
  std::span<T> span() const {
    require(device().is_cpu() && is_contiguous(), "span",
            "needs a contiguous CPU tensor, got {} on {}; see contiguous()", shape(), device());
    return {data<T>(), static_cast<size_t>(numel())};
  }
  /// The value of a tensor with one element, converted to T. Waits for the device.
  template <class T>
  T item() const {
    if (is_floating(dtype())) return static_cast<T>(item_as_double());
    return static_cast<T>(item_as_integer());
  }

  // Views: no copy, same memory. Each is recorded for autograd.
  Tensor transpose(int64_t dim0, int64_t dim1) const;
  Tensor permute(const Shape& dims) const;
  /// Elements start, start+step, ... below `end` of `dim`; start and end wrap and clamp as Python's do.
  Tensor slice(int64_t dim, int64_t start, int64_t end = INT64_MAX, int64_t step = 1) const;
  /// One position of `dim`, which disappears.
  Tensor select(int64_t dim, int64_t position) const;
  Tensor operator[](int64_t position) const { return select(0, position); }
  /// Dimensions of extent 1 repeated without copying; -1 keeps an extent.
  Tensor expand(const Shape& shape) const;
  /// The same memory in another shape (one extent may be -1). Never copies: an error that names `reshape` where it
  /// would have to.
  Tensor view(const Shape& shape) const;
  /// As `view` where that can be, else a copy in logical (row-major) order.
  Tensor reshape(const Shape& shape) const;
  Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1) const;
  Tensor squeeze(int64_t dim) const;
  Tensor squeeze() const;
  Tensor unsqueeze(int64_t dim) const;
  Tensor t() const { return transpose(0, 1); }

  /// This tensor if row-major already, else a row-major copy.
  Tensor contiguous() const;
  /// This tensor if channels-last already, else a copy in that layout. Rank 4.
  Tensor channels_last() const;
  /// A copy of its own memory, same strides; differentiable.
  Tensor clone() const;
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;
  Tensor to(TensorOptions options) const;
  /// Writes `source` (broadcast, converted) into this tensor's memory.
  void copy_(const Tensor& source) const;
  /// Sets every element.
  void fill_(double value) const;
  void zero_() const { fill_(0); }

  /// Makes every copy of this tensor refer to `other`'s elements; its autograd part stays. How a parameter moves
  /// between devices under those who hold it.
  void set_data(const Tensor& other) const;

  // Autograd (core/autograd.h).
  /// The same memory without history.
  Tensor detach() const;
  bool requires_grad() const;
  /// Marks a leaf as wanting (or not) its gradient; an error for a tensor with history. Returns itself.
  const Tensor& requires_grad_(bool value = true) const;
  bool is_leaf() const;
  /// The gradient that `backward` has summed up; undefined before.
  Tensor grad() const;
  void set_grad(const Tensor& gradient) const;
  /// Keeps the gradient of a tensor with history in `grad()` too.
  void retain_grad() const;
  /// `hook` sees the gradient when `backward` reaches this tensor; what it returns, if defined, takes its place.
  void register_hook(std::function<Tensor(const Tensor&)> hook) const;
  /// `AddmmBackward0`, or empty.
  std::string grad_fn() const;
  /// Gradients of this one-element tensor with respect to every leaf that requires one, added to their `grad()`.
  void backward() const;
  /// As above, with the gradient of this tensor given (undefined: ones).
  void backward(const Tensor& gradient, bool retain_graph = false, bool create_graph = false) const;

  /// Says that `operation` has written this tensor's memory: raises its version.
  void mark_written(const char* operation) const { impl_->storage->mark_written(operation); }
  uint64_t version() const { return impl_->storage->version(); }

 private:
  struct Impl {
    std::shared_ptr<Storage> storage;
    Shape shape;
    Strides strides;
    int64_t offset = 0;
    int64_t count = 0;
    DType dtype = f32;
    bool is_view = false;
    std::shared_ptr<AutogradPart> autograd;
  };
  friend struct AutogradAccess;

  double item_as_double() const;
  int64_t item_as_integer() const;

  std::shared_ptr<Impl> impl_;
};

/// How an operation on several tensors checks that they share a device.
void require_same_device(const char* operation, std::initializer_list<const Tensor*> tensors);

}  // namespace percale
