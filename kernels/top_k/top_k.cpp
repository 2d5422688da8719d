#include "top_k.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "../index_select/index_select.h"
#include "top_k_twins.h"

namespace percale {
namespace {

/// The gradient: what arrives for a chosen element goes where it stood, in a tensor of `shape`, chosen along the last
/// dimension.
Tensor scatter(const Tensor& upstream, const Tensor& index, const Shape& shape) {
  const int64_t length = shape.back(), k = index.size(-1);
  const Tensor result = Tensor::empty(shape, upstream.options());
  if (result.numel()) {
    const int64_t rows = result.numel() / length;
    on<cpu::top_k_gradient, cuda::top_k_gradient>(result.device(), upstream.detach().contiguous().view({rows, k}),
                                                  index.view({rows, k}), result.view({rows, length}));
  }
  return record(
      "TopkBackwardBackward0", result, {upstream}, saved(index),
      [length](const Tensors& gradients, const Saved& saved) -> Tensors {
        const int64_t count = gradients[0].numel();
        if (count == 0) return {zeros(saved[0].shape(), gradients[0].options())};
        const int64_t rows = count / length;
        const Tensor first = arange(0, static_cast<double>(count), static_cast<double>(length), saved[0].options());
        const Tensor places = add(saved[0].reshape({rows, saved[0].size(-1)}), first.unsqueeze(1)).reshape({-1});
        return {index_select(gradients[0].reshape({-1}), 0, places).reshape(saved[0].shape())};
      });
}

}  // namespace

std::pair<Tensor, Tensor> top_k(const Tensor& x, int64_t k, int64_t dim, bool largest) {
  const Operation operation{"top_k"};
  require(x.rank() > 0, "top_k", "a tensor without dimensions has nothing to choose from");
  require(x.dtype() != boolean, "top_k", "needs numbers to compare, got bool");
  const int at = wrap_dim("top_k", dim, x.rank());
  const int64_t length = x.size(at);
  require(k >= 0 && k <= length, "top_k", "k must be 0 to the extent of the dimension, {}, got {}", length, k);
  const Tensor moved = x.transpose(at, -1);
  Shape shape = moved.shape();
  const Shape whole = shape;
  shape[shape.rank() - 1] = k;
  const Tensor values = Tensor::empty(shape, x.options()), index = Tensor::empty(shape, {i64, x.device()});
  if (values.numel())
    on<cpu::top_k, cuda::top_k>(x.device(), moved.detach().contiguous().view({-1, length}), largest,
                                values.view({-1, k}), index.view({-1, k}));
  const Tensor back = at == x.rank() - 1 ? values : values.transpose(at, -1).contiguous();
  const Tensor places = at == x.rank() - 1 ? index : index.transpose(at, -1).contiguous();
  if (!is_floating(x.dtype())) return {back, places};
  return {record("TopkBackward0", back, {x}, saved(index),
                 [at, whole](const Tensors& gradients, const Saved& saved) -> Tensors {
                   return {scatter(gradients[0].transpose(at, -1), saved[0], whole).transpose(at, -1)};
                 }),
          places};
}

}  // namespace percale
