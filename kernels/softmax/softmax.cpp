#include "softmax.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../reduction/reduction.h"
#include "softmax_twins.h"

namespace percale {
namespace {

Rows rows_of(const Tensor& dense, int dim) {
  const int64_t length = dense.rank() ? dense.size(dim) : 1;
  if (length == 1) return {dense.numel(), 1, 1};
  return {dense.numel() / (length * dense.stride(dim)), length, dense.stride(dim)};
}

/// The gradient of x from that of y = softmax(x), or of its logarithm. Linear in `upstream`:
/// softmax: y (g - sum(g y)); logarithm: g - exp(y) sum(g).
Tensor softmax_gradient(const Tensor& upstream, const Tensor& y, int dim, bool logarithm) {
  const Operation operation{"softmax_gradient"};
  const Tensor own = dense(y), gradient = laid_out_as(own, upstream), result = Tensor::empty_like(own);
  if (result.numel())
    on<cpu::softmax_gradient, cuda::softmax_gradient>(y.device(), gradient, own, result, rows_of(own, dim), logarithm);
  const char* name = logarithm ? "LogSoftmaxBackwardDataBackward0" : "SoftmaxBackwardDataBackward0";
  return record(
      name, result.to(y.dtype()), {upstream, y}, saved(upstream, y),
      [dim, logarithm](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor& next = gradients[0];
        const Tensor upstream = saved[0], y = saved[1];
        const Shape along{dim};
        if (logarithm) {
          const Tensor probability = exp(y);
          return {next - sum(next * probability, along, true), neg(next * probability * sum(upstream, along, true))};
        }
        return {softmax_gradient(next, y, dim, false),
                next * (upstream - sum(upstream * y, along, true)) - upstream * sum(next * y, along, true)};
      });
}

Tensor apply(const char* name, const char* grad_fn, const Tensor& x, int64_t along, bool logarithm) {
  require(is_floating(x.dtype()), name, "needs floating-point elements, got {}; see to(f32)", x.dtype());
  const int dim = wrap_dim(name, along, x.rank());
  const Tensor in = dense(x), out = Tensor::empty_like(in);
  if (out.numel()) on<cpu::softmax, cuda::softmax>(x.device(), in, out, rows_of(in, dim), logarithm);
  const Tensor result = out.to(x.dtype());
  return record(grad_fn, result, {x}, saved(result),
                [dim, logarithm](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {softmax_gradient(gradients[0], saved[0], dim, logarithm)};
                });
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim) {
  const Operation operation{"softmax"};
  return apply("softmax", "SoftmaxBackward0", x, dim, false);
}

Tensor log_softmax(const Tensor& x, int64_t dim) {
  const Operation operation{"log_softmax"};
  return apply("log_softmax", "LogSoftmaxBackward0", x, dim, true);
}

}  // namespace percale
