#include "matmul.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/precision.h"
#include "../../core/trace.h"
#include "matmul_twins.h"

namespace percale {
namespace {

/// `tensor` with its leading dimensions repeated to `batch`.
Tensor with_batch(const Tensor& tensor, const Shape& batch) {
  const Shape shape = append(append(batch, tensor.size(-2)), tensor.size(-1));
  return shape == tensor.shape() ? tensor : tensor.expand(shape);
}

/// [batch..., m, k] times [batch..., k, n], the batch extents alike; the result is shown as `shape`.
Tensor product(const char* name, const Tensor& a, const Tensor& b, const Shape& shape) {
  Shape whole = a.shape();
  whole[whole.rank() - 1] = b.shape().back();
  Tensor result = Tensor::empty(shape, a.options());
  if (result.numel()) {
    const Tensor out = Tensor::from_storage(result.storage(), whole, contiguous_strides(whole), 0, result.dtype());
    on<cpu::matmul, cuda::matmul>(a.device(), a, b, out);
  }
  return record(name, result, {a, b}, saved(a, b), [whole](const Tensors& gradients, const Saved& saved) -> Tensors {
    const Tensor upstream = gradients[0].reshape(whole);
    return {saved.needs(0) ? matmul(upstream, saved[1].transpose(-1, -2)) : Tensor(),
            saved.needs(1) ? matmul(saved[0].transpose(-1, -2), upstream) : Tensor()};
  });
}

/// The product of batches, or of one matrix with a batch.
Tensor batched(const Tensor& a, const Tensor& b) {
  const Shape& left = a.shape();
  const Shape& right = b.shape();
  const int left_batch = std::max(a.rank() - 2, 0), right_batch = std::max(b.rank() - 2, 0);
  const Shape batch = broadcast("matmul", Shape(std::span(left.begin(), static_cast<size_t>(left_batch))),
                                Shape(std::span(right.begin(), static_cast<size_t>(right_batch))));
  const Tensor matrix_a = a.rank() == 1 ? a.unsqueeze(0) : a, matrix_b = b.rank() == 1 ? b.unsqueeze(1) : b;
  Shape shape = batch;
  if (a.rank() > 1) shape.push_back(left[left.rank() - 2]);
  if (b.rank() > 1) shape.push_back(right.back());
  // PyTorch multiplies the transposes here where it wants to save a gradient's memory: only the name tells.
  const bool by_transposes = a.rank() == 2 && a.requires_grad() && grad_enabled();
  return product(by_transposes ? "CloneBackward0" : "UnsafeViewBackward0", with_batch(matrix_a, batch),
                 with_batch(matrix_b, batch), shape);
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  const Operation operation{"matmul"};
  const auto is_rounded = [](const Tensor& x) { return x.dtype() == f32 || x.dtype() == bf16; };
  if (current_precision() == Precision::bf16 && is_rounded(a) && is_rounded(b) &&
      (a.dtype() == f32 || b.dtype() == f32))
    return matmul(a.to(bf16), b.to(bf16));
  require(a.rank() > 0 && b.rank() > 0, "matmul", "both operands need at least one dimension, got {} and {}", a.shape(),
          b.shape());
  require_same_device("matmul", {&a, &b});
  require(a.dtype() == b.dtype(), "matmul", "both operands must have the same dtype, got {} and {}", a.dtype(),
          b.dtype());
  require(is_floating(a.dtype()), "matmul", "operands must be floating-point, got {}", a.dtype());
  const int64_t inner = b.rank() == 1 ? b.size(0) : b.size(-2);
  require(a.size(-1) == inner, "matmul", "inner extents differ: {} and {}", a.shape(), b.shape());
  if (a.rank() == 1 && b.rank() == 1) return product("DotBackward0", a.unsqueeze(0), b.unsqueeze(1), {});
  if (a.rank() == 1 && b.rank() == 2) return product("SqueezeBackward4", a.unsqueeze(0), b, {b.size(1)});
  if (a.rank() == 2 && b.rank() == 1) return product("MvBackward0", a, b.unsqueeze(1), {a.size(0)});
  if (a.rank() == 2 && b.rank() == 2) return product("MmBackward0", a, b, {a.size(0), b.size(1)});
  if (b.rank() > 2 || a.numel() == 0) return batched(a, b);
  // Many matrices by one: the same as one tall matrix by it.
  Shape shape = a.shape();
  shape.erase(shape.rank() - 1);
  if (b.rank() == 2) shape.push_back(b.size(1));
  return product("UnsafeViewBackward0", a.reshape({-1, inner}), b.rank() == 1 ? b.unsqueeze(1) : b, shape);
}

}  // namespace percale
