#include "index_select.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "index_select_twins.h"

namespace percale {
namespace {

/// A dense tensor of `shape`, whose dimensions lie in the order of `like`'s.
Tensor empty_in_order(const Shape& shape, const Tensor& like) {
  return Tensor::empty_strided(shape, strides_in_order_of(shape, like.strides()), like.options());
}

/// `tensor` itself if it is dense, else a row-major copy. No history.
Tensor dense(const Tensor& tensor) { return tensor.is_dense() ? tensor : tensor.detach().contiguous(); }

/// `selected` is dense, and holds `count` positions of `dim` where the other side holds `extent`.
SelectShape select_shape(const Tensor& selected, int dim, int64_t extent) {
  const int64_t count = selected.size(dim), inner = selected.strides()[dim];
  return {selected.numel() / (count * inner), extent, count, inner};
}

/// The gradient: each of `extent` positions of `dim` sums what was made of it.
Tensor scatter(const Tensor& upstream, int dim, const Tensor& index, int64_t extent) {
  const Tensor gradient = dense(upstream);
  Shape shape = gradient.shape();
  shape[dim] = extent;
  Tensor result = empty_in_order(shape, gradient);
  if (!gradient.numel()) {
    fill(result, 0);
  } else if (result.numel()) {
    // Extents of 1 may have any stride, so that of the fresh side counts.
    const SelectShape sizes{result.numel() / (extent * result.strides()[dim]), extent, gradient.size(dim),
                            result.strides()[dim]};
    on<cpu::index_select_gradient, cuda::index_select_gradient>(result.device(), gradient, index, result, sizes);
  }
  return record("IndexSelectBackwardBackward0", result, {upstream}, saved(index),
                [dim](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {index_select(gradients[0], dim, saved[0])};
                });
}

}  // namespace

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  const Operation operation{"index_select"};
  require(x.rank() > 0, "index_select", "a tensor without dimensions has nothing to select from");
  const int at = wrap_dim("index_select", dim, x.rank());
  require(index.rank() <= 1 && is_index(index.dtype()), "index_select",
          "index must be [count] of i64 or i32, got {} of {}", index.shape(), index.dtype());
  require_same_device("index_select", {&x, &index});
  require(x.size(at) > 0 || index.numel() == 0, "index_select", "cannot select {} positions of a dimension of 0",
          index.numel());
  Shape shape = x.shape();
  shape[at] = index.numel();
  const Tensor source = dense(x), positions = index.contiguous();
  Tensor result = empty_in_order(shape, source);
  if (result.numel())
    on<cpu::index_select, cuda::index_select>(x.device(), source, positions, result,
                                              select_shape(result, at, x.size(at)));
  return record("IndexSelectBackward0", result, {x}, saved(positions),
                [at, extent = x.size(at)](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {scatter(gradients[0], at, saved[0], extent)};
                });
}

}  // namespace percale
