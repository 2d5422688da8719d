#include "reduction.h"

#include <array>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "reduction_plan.h"

namespace percale {
namespace {

/// The dimensions that go, and the shape with them at extent 1.
struct Selection {
  std::array<bool, Shape::max_rank> reduced{};
  Shape kept;
  int64_t count = 1;  ///< elements an output is made of
};

Selection select_dims(const char* operation, const Shape& shape, const Shape& dims) {
  Selection selection;
  selection.kept = shape;
  if (dims.empty()) selection.reduced.fill(true);
  for (const int64_t named : dims) {
    const int dim = wrap_dim(operation, named, shape.rank());
    require(!selection.reduced[dim], operation, "dimension {} is named twice", dim);
    selection.reduced[dim] = true;
  }
  for (int dim = 0; dim < shape.rank(); ++dim) {
    if (!selection.reduced[dim]) continue;
    selection.count *= shape[dim];
    selection.kept[dim] = 1;
  }
  return selection;
}

ReductionPlan plan_of(const Tensor& x, const Selection& selection, const Tensor& out) {
  Shape kept, reduced;
  Strides kept_in, kept_out, reduced_in;
  for (int dim = 0; dim < x.rank(); ++dim) {
    if (selection.reduced[dim]) {
      reduced.push_back(x.size(dim));
      reduced_in.push_back(x.stride(dim));
    } else {
      kept.push_back(x.size(dim));
      kept_in.push_back(x.stride(dim));
      kept_out.push_back(out.stride(dim));
    }
  }
  return {strided_walk<2>(kept, {kept_in, kept_out}), strided_walk<1>(reduced, {reduced_in})};
}

/// The reduction with every dimension kept, in x's dtype (i64 for whole numbers). 16-bit numbers are combined in f32.
Tensor reduced(const Tensor& x, const Selection& selection, Reduce how, double divisor = 1) {
  const Tensor in = is_floating(x.dtype()) ? x.detach() : x.to(i64);
  const Tensor out = Tensor::empty(selection.kept, {compute_dtype(in.dtype()), in.device()});
  if (selection.count == 0)
    fill(out, 0 / divisor);
  else if (out.numel())
    on<cpu::reduce, cuda::reduce>(in.device(), in, out, plan_of(in, selection, out), how, divisor);
  return out.to(in.dtype());
}

/// Without the dimensions that were reduced.
Tensor squeezed(const Tensor& kept, const Selection& selection, bool keepdim) {
  if (keepdim) return kept;
  Shape shape;
  for (int dim = 0; dim < kept.rank(); ++dim)
    if (!selection.reduced[dim]) shape.push_back(kept.size(dim));
  return Tensor::from_storage(kept.storage(), shape, contiguous_strides(shape), kept.offset(), kept.dtype());
}

}  // namespace

Tensor sum(const Tensor& x, const Shape& dims, bool keepdim) {
  const Operation operation{"sum"};
  const Selection selection = select_dims("sum", x.shape(), dims);
  const Tensor result = squeezed(reduced(x, selection, Reduce::sum), selection, keepdim);
  return record(dims.empty() ? "SumBackward0" : "SumBackward1", result, {x}, {},
                [kept = selection.kept, shape = x.shape()](const Tensors& gradients, const Saved&) -> Tensors {
                  return {gradients[0].reshape(kept).expand(shape)};
                });
}

Tensor mean(const Tensor& x, const Shape& dims, bool keepdim) {
  const Operation operation{"mean"};
  require(is_floating(x.dtype()), "mean", "needs floating-point elements, got {}; see to(f32)", x.dtype());
  const Selection selection = select_dims("mean", x.shape(), dims);
  const auto count = static_cast<double>(selection.count);
  const Tensor result = squeezed(reduced(x, selection, Reduce::sum, count), selection, keepdim);
  return record(dims.empty() ? "MeanBackward0" : "MeanBackward1", result, {x}, {},
                [kept = selection.kept, shape = x.shape(), count](const Tensors& gradients, const Saved&) -> Tensors {
                  return {(gradients[0] / count).reshape(kept).expand(shape)};
                });
}

namespace {

Tensor extreme(const char* operation, const char* grad_fn, Reduce how, const Tensor& x, const Shape& dims,
               bool keepdim) {
  const Selection selection = select_dims(operation, x.shape(), dims);
  require(selection.count > 0, operation, "there is nothing to compare: shape {} over dimensions {}", x.shape(), dims);
  const Tensor result = squeezed(reduced(x, selection, how).to(x.dtype()), selection, keepdim);
  return record(grad_fn, result, {x}, saved(x, result),
                [kept = selection.kept, dims](const Tensors& gradients, const Saved& saved) -> Tensors {
                  const Tensor x = saved[0].detach(), gradient = gradients[0].reshape(kept);
                  const Tensor found = eq(x, saved[1].detach().reshape(kept)).to(gradient.dtype());
                  return {gradient * found / sum(found, dims, true)};
                });
}

}  // namespace

Tensor max(const Tensor& x, const Shape& dims, bool keepdim) {
  const Operation operation{"max"};
  return extreme("max", dims.empty() ? "MaxBackward1" : "AmaxBackward0", Reduce::max, x, dims, keepdim);
}

Tensor min(const Tensor& x, const Shape& dims, bool keepdim) {
  const Operation operation{"min"};
  return extreme("min", dims.empty() ? "MinBackward1" : "AminBackward0", Reduce::min, x, dims, keepdim);
}

Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  const Operation operation{"argmax"};
  require(x.numel() > 0 || dim, "argmax", "there is no largest element of shape {}", x.shape());
  const Tensor typed = is_floating(x.dtype()) ? x.detach() : x.to(i64);
  if (!dim) {
    const Tensor out = Tensor::empty({1}, {i64, x.device()});
    on<cpu::argmax, cuda::argmax>(x.device(), typed.reshape({-1}), 0, out);
    return out.reshape(Shape::filled(keepdim ? x.rank() : 0, 1));
  }
  const Selection selection = select_dims("argmax", x.shape(), {*dim});
  const Tensor out = Tensor::empty(selection.kept, {i64, x.device()});
  require(selection.count > 0, "argmax", "there is no largest element along dimension {} of {}", *dim, x.shape());
  const Tensor in = x.rank() ? typed : typed.reshape({1});
  const Tensor target = x.rank() ? out : out.reshape({1});
  if (out.numel()) on<cpu::argmax, cuda::argmax>(x.device(), in, wrap_dim("argmax", *dim, x.rank()), target);
  return squeezed(out, selection, keepdim);
}

}  // namespace percale
