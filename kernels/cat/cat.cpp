#include "cat.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "cat_twins.h"

namespace percale {
namespace {

bool is_left_out(const Tensor& tensor) { return tensor.rank() == 1 && tensor.size(0) == 0; }

void check(const char* operation, const Tensors& tensors) {
  require(!tensors.empty(), operation, "expected at least one tensor");
  for (const Tensor& tensor : tensors) {
    require(tensor.defined(), operation, "one of the tensors is undefined");
    require_same_device(operation, {&tensors[0], &tensor});
  }
}

DType promoted(const Tensors& tensors) {
  DType dtype = tensors[0].dtype();
  for (const Tensor& tensor : tensors) dtype = promote(dtype, tensor.dtype());
  return dtype;
}

/// The shape of the join, in which every tensor agrees with `first` but along `dim`.
Shape joined_shape(const Tensors& tensors, const Tensor& first, int dim) {
  Shape shape = first.shape();
  shape[dim] = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& tensor = tensors[i];
    if (is_left_out(tensor)) continue;
    Shape rest = tensor.shape();
    if (rest.rank() == shape.rank()) rest[dim] = shape[dim];
    require(rest == shape, "cat", "tensor {} of shape {} does not fit {} but in dimension {}", i, tensor.shape(),
            first.shape(), dim);
    shape[dim] += tensor.size(dim);
  }
  return shape;
}

/// `tensor` converted, and dense in `order`'s order of dimensions.
Tensor arranged(const Tensor& tensor, DType dtype, const Strides& order) {
  const Strides strides = strides_in_order_of(tensor.shape(), order);
  bool fits = tensor.dtype() == dtype;
  for (int dim = 0; fits && dim < tensor.rank(); ++dim)
    fits = tensor.size(dim) == 1 || tensor.strides()[dim] == strides[dim];
  if (fits) return tensor;
  Tensor result = Tensor::empty_strided(tensor.shape(), strides, {dtype, tensor.device()});
  copy(tensor, result);
  return result;
}

/// The values of the join; history is the caller's.
Tensor joined(const Tensors& tensors, int dim, const Tensor& first) {
  const DType dtype = promoted(tensors);
  const Shape shape = joined_shape(tensors, first, dim);
  const Strides strides = strides_in_order_of(shape, first.strides());
  Tensor result = Tensor::empty_strided(shape, strides, {dtype, first.device()});
  if (!result.numel()) return result;
  const int64_t inner = strides[dim] * static_cast<int64_t>(size_of(dtype));  // bytes a position of `dim`
  std::vector<JoinedPart> parts;
  Tensors kept;
  auto* target = static_cast<char*>(result.data());
  for (const Tensor& tensor : tensors) {
    if (!tensor.numel()) continue;
    kept.push_back(arranged(tensor.detach(), dtype, first.strides()));
    const int64_t row_bytes = inner * tensor.size(dim);
    parts.push_back({kept.back().data(), target, kept.back().numel() * static_cast<int64_t>(size_of(dtype)) / row_bytes,
                     row_bytes});
    target += row_bytes;
  }
  on<cpu::join, cuda::join>(result.device(), parts, inner * shape[dim]);
  return result;
}

}  // namespace

Tensor cat(const Tensors& tensors, int64_t dim) {
  const Operation operation{"cat"};
  check("cat", tensors);
  Tensor first = tensors[0];
  for (size_t i = tensors.size(); i-- > 0;)
    if (!is_left_out(tensors[i])) first = tensors[i];
  require(first.rank() > 0, "cat", "tensors without dimensions cannot be joined; see stack()");
  const int at = wrap_dim("cat", dim, first.rank());
  std::vector<int64_t> extents;  // of each tensor along the dimension; -1 for one that is left out
  for (const Tensor& tensor : tensors)
    extents.push_back(is_left_out(tensor) && first.rank() != 1 ? -1 : tensor.rank() > at ? tensor.size(at) : 0);
  std::vector<DType> dtypes;
  for (const Tensor& tensor : tensors) dtypes.push_back(tensor.dtype());
  return record("CatBackward0", joined(tensors, at, first), tensors, {},
                [at, extents, dtypes](const Tensors& gradients, const Saved& saved) -> Tensors {
                  Tensors result(extents.size());
                  int64_t begin = 0;
                  for (size_t i = 0; i < extents.size(); ++i) {
                    if (extents[i] < 0) continue;
                    if (saved.needs(static_cast<int>(i)))
                      result[i] = gradients[0].slice(at, begin, begin + extents[i]).to(dtypes[i]);
                    begin += extents[i];
                  }
                  return result;
                });
}

Tensor stack(const Tensors& tensors, int64_t dim) {
  const Operation operation{"stack"};
  check("stack", tensors);
  const int at = wrap_dim("stack", dim, tensors[0].rank() + 1);
  Tensors unsqueezed;
  std::vector<DType> dtypes;
  for (size_t i = 0; i < tensors.size(); ++i) {
    require(tensors[i].shape() == tensors[0].shape(), "stack", "tensor {} has shape {}, the first one {}", i,
            tensors[i].shape(), tensors[0].shape());
    unsqueezed.push_back(tensors[i].detach().unsqueeze(at));
    dtypes.push_back(tensors[i].dtype());
  }
  return record("StackBackward0", joined(unsqueezed, at, unsqueezed[0]), tensors, {},
                [at, dtypes](const Tensors& gradients, const Saved& saved) -> Tensors {
                  Tensors result(dtypes.size());
                  for (size_t i = 0; i < dtypes.size(); ++i)
                    if (saved.needs(static_cast<int>(i)))
                      result[i] = gradients[0].select(at, static_cast<int64_t>(i)).to(dtypes[i]);
                  return result;
                });
}

}  // namespace percale
