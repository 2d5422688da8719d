// Views: the same memory under another shape. Their gradients are views too, or copies into zeros.
#include <algorithm>

#include "autograd.h"
#include "autograd_node.h"
#include "primitives.h"
#include "tensor.h"

namespace percale {
namespace {

Tensor view_of(const Tensor& base, const Shape& shape, const Strides& strides, int64_t offset) {
  Tensor result = Tensor::from_storage(base.storage(), shape, strides, offset, base.dtype());
  AutogradAccess::mark_view(result);
  return result;
}

/// A tensor of zeros with `part` written to where `slice` or `select` took it from.
template <class Take>
Tensor scatter_into_zeros(const char* name, const Tensor& part, const Shape& shape, Take take) {
  Tensor whole = Tensor::empty(shape, part.options());
  fill(whole, 0);
  {
    const NoGradGuard no_grad;
    copy(part, take(whole));
  }
  return record(name, whole, {part}, {},
                [take](const Tensors& gradients, const Saved&) -> Tensors { return {take(gradients[0])}; });
}

/// The strides of `shape` over the same memory, if there are any.
bool strides_for_view(const Tensor& tensor, const Shape& shape, Strides& strides) {
  strides = shape;
  if (tensor.numel() == 0) {
    strides = contiguous_strides(shape);
    return true;
  }
  int to = shape.rank() - 1;
  int64_t block = 1, base = tensor.rank() ? tensor.strides()[tensor.rank() - 1] : 1, filled = 1;
  for (int from = tensor.rank() - 1; from >= 0; --from) {
    block *= tensor.shape()[from];
    const bool ends = from == 0 || (tensor.shape()[from - 1] != 1 && tensor.strides()[from - 1] != block * base);
    if (!ends) continue;
    while (to >= 0 && (filled < block || shape[to] == 1)) {
      strides[to] = filled * base;
      filled *= shape[to--];
    }
    if (filled != block) return false;
    if (from > 0) base = tensor.strides()[from - 1], block = filled = 1;
  }
  for (; to >= 0 && shape[to] == 1; --to) strides[to] = filled * base;
  return to < 0;
}

/// `shape` with its -1 worked out.
Shape resolve(const char* operation, const Tensor& tensor, Shape shape) {
  int64_t known = 1;
  int unknown = -1;
  for (int dim = 0; dim < shape.rank(); ++dim) {
    if (shape[dim] == -1) {
      require(unknown < 0, operation, "only one extent can be -1, got {}", shape);
      unknown = dim;
    } else {
      require(shape[dim] >= 0, operation, "extents cannot be negative, got {}", shape);
      known *= shape[dim];
    }
  }
  const bool fits = unknown < 0 ? known == tensor.numel() : known > 0 && tensor.numel() % known == 0;
  require(fits, operation, "shape {} does not hold the {} elements of {}", shape, tensor.numel(), tensor.shape());
  if (unknown >= 0) shape[unknown] = tensor.numel() / known;
  return shape;
}

Tensor reshaped_back(const char* name, const Tensor& base, const Tensor& result) {
  return record(name, result, {base}, {}, [shape = base.shape()](const Tensors& gradients, const Saved&) -> Tensors {
    return {gradients[0].reshape(shape)};
  });
}

}  // namespace

Tensor Tensor::transpose(int64_t dim0, int64_t dim1) const {
  const int a = wrap_dim("transpose", dim0, rank()), b = wrap_dim("transpose", dim1, rank());
  if (rank() == 0) return *this;
  Shape extents = shape();
  Strides steps = strides();
  std::swap(extents[a], extents[b]);
  std::swap(steps[a], steps[b]);
  const char* name = rank() == 2 && a != b ? "TBackward0" : "TransposeBackward0";
  return record(name, view_of(*this, extents, steps, offset()), {*this}, {},
                [a, b](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0].transpose(a, b)}; });
}

Tensor Tensor::permute(const Shape& dims) const {
  require(dims.rank() == rank(), "permute", "{} dimensions to order, got {}", rank(), dims);
  Shape extents = shape(), inverse = dims;
  Strides steps = strides();
  std::vector<bool> seen(static_cast<size_t>(rank()));
  for (int to = 0; to < rank(); ++to) {
    const int from = wrap_dim("permute", dims[to], rank());
    require(!seen[static_cast<size_t>(from)], "permute", "dimension {} stands twice in {}", from, dims);
    seen[static_cast<size_t>(from)] = true;
    extents[to] = shape()[from];
    steps[to] = strides()[from];
    inverse[from] = to;
  }
  return record(
      "PermuteBackward0", view_of(*this, extents, steps, offset()), {*this}, {},
      [inverse](const Tensors& gradients, const Saved&) -> Tensors { return {gradients[0].permute(inverse)}; });
}

Tensor Tensor::slice(int64_t dim, int64_t start, int64_t end, int64_t step) const {
  require(rank() > 0, "slice", "a tensor without dimensions cannot be sliced");
  require(step > 0, "slice", "step must be positive, got {}", step);
  const int at = wrap_dim("slice", dim, rank());
  const int64_t extent = shape()[at];
  start = std::clamp<int64_t>(start < 0 ? start + extent : start, 0, extent);
  end = std::clamp<int64_t>(end < 0 ? end + extent : end, start, extent);
  Shape extents = shape();
  Strides steps = strides();
  extents[at] = (end - start + step - 1) / step;
  steps[at] *= step;
  const int64_t begin = offset() + (extents[at] ? start * strides()[at] : 0);
  auto take = [at, start, end, step](const Tensor& whole) { return whole.slice(at, start, end, step); };
  return record("SliceBackward0", view_of(*this, extents, steps, begin), {*this}, {},
                [take, whole = shape()](const Tensors& gradients, const Saved&) -> Tensors {
                  return {scatter_into_zeros("SliceBackward0", gradients[0], whole, take)};
                });
}

Tensor Tensor::select(int64_t dim, int64_t position) const {
  require(rank() > 0, "select", "a tensor without dimensions has no positions");
  const int at = wrap_dim("select", dim, rank());
  const int64_t extent = shape()[at];
  require(position >= -extent && position < extent, "select", "position {} is out of range for dimension {} of {}",
          position, at, shape());
  if (position < 0) position += extent;
  Shape extents = shape();
  Strides steps = strides();
  extents.erase(at);
  steps.erase(at);
  auto take = [at, position](const Tensor& whole) { return whole.select(at, position); };
  return record("SelectBackward0", view_of(*this, extents, steps, offset() + position * strides()[at]), {*this}, {},
                [take, whole = shape()](const Tensors& gradients, const Saved&) -> Tensors {
                  return {scatter_into_zeros("SelectBackward0", gradients[0], whole, take)};
                });
}

Tensor Tensor::expand(const Shape& wished) const {
  require(wished.rank() >= rank(), "expand", "shape {} has fewer dimensions than {}", wished, shape());
  const int added = wished.rank() - rank();
  Shape extents = wished;
  Strides steps = wished;
  for (int dim = 0; dim < wished.rank(); ++dim) {
    const int64_t own = dim < added ? 1 : shape()[dim - added];
    if (extents[dim] == -1 && dim >= added) extents[dim] = own;
    require(extents[dim] >= 0 && (own == 1 || own == extents[dim]), "expand",
            "{} cannot be expanded to {}: dimension {}", shape(), wished, dim);
    steps[dim] = own == 1 && extents[dim] != 1 ? 0 : dim < added ? 0 : strides()[dim - added];
  }
  return record("ExpandBackward0", view_of(*this, extents, steps, offset()), {*this}, {},
                [shape = shape()](const Tensors& gradients, const Saved&) -> Tensors {
                  return {sum_to_shape(gradients[0], shape)};
                });
}

Tensor Tensor::view(const Shape& wished) const {
  const Shape extents = resolve("view", *this, wished);
  Strides steps;
  require(strides_for_view(*this, extents, steps), "view",
          "a tensor of shape {} and strides {} has no view of shape {}; reshape() copies where it must", shape(),
          strides(), extents);
  return reshaped_back("ViewBackward0", *this, view_of(*this, extents, steps, offset()));
}

Tensor Tensor::reshape(const Shape& wished) const {
  const Shape extents = resolve("reshape", *this, wished);
  if (extents == shape()) return *this;
  Strides steps;
  if (strides_for_view(*this, extents, steps))
    return reshaped_back("ViewBackward0", *this, view_of(*this, extents, steps, offset()));
  Tensor result = Tensor::empty(shape(), options());
  copy(*this, result);
  Tensor shaped = Tensor::from_storage(result.storage(), extents, contiguous_strides(extents), 0, dtype());
  return reshaped_back("UnsafeViewBackward0", *this, shaped);
}

Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim) const {
  if (rank() == 0) return reshape({1});
  const int start = wrap_dim("flatten", start_dim, rank()), end = wrap_dim("flatten", end_dim, rank());
  require(start <= end, "flatten", "start_dim {} comes after end_dim {}", start, end);
  Shape extents;
  int64_t joined = 1;
  for (int dim = 0; dim < rank(); ++dim) {
    if (dim >= start && dim <= end)
      joined *= shape()[dim];
    else
      extents.push_back(shape()[dim]);
    if (dim == end) extents.push_back(joined);
  }
  return reshape(extents);
}

Tensor Tensor::squeeze(int64_t dim) const {
  const int at = wrap_dim("squeeze", dim, rank());
  if (rank() == 0 || shape()[at] != 1) return *this;
  Shape extents = shape();
  Strides steps = strides();
  extents.erase(at);
  steps.erase(at);
  return reshaped_back("SqueezeBackward1", *this, view_of(*this, extents, steps, offset()));
}

Tensor Tensor::squeeze() const {
  Shape extents;
  Strides steps;
  for (int dim = 0; dim < rank(); ++dim) {
    if (shape()[dim] == 1) continue;
    extents.push_back(shape()[dim]);
    steps.push_back(strides()[dim]);
  }
  return reshaped_back("SqueezeBackward0", *this, view_of(*this, extents, steps, offset()));
}

Tensor Tensor::unsqueeze(int64_t dim) const {
  const int at = wrap_dim("unsqueeze", dim, rank() + 1);
  Shape extents = shape();
  Strides steps = strides();
  const int64_t step = at < rank() ? extents[at] * steps[at] : 1;
  extents.insert(at, 1);
  steps.insert(at, step);
  return reshaped_back("UnsqueezeBackward0", *this, view_of(*this, extents, steps, offset()));
}

}  // namespace percale
