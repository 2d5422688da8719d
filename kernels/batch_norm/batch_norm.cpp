#include "batch_norm.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "../layer_norm/layer_norm_twins.h"
#include "batch_norm_twins.h"

namespace percale {
namespace {

/// [N, C, ...] seen as [rows, C]; a copy only where the channels do not lie innermost.
Tensor matrix_of(const Tensor& x) {
  if (x.rank() == 2) return x;
  const Tensor inner = x.rank() == 3 ? x.transpose(1, 2) : x.permute({0, 2, 3, 1});
  return inner.reshape({x.size(0) * (x.numel() / std::max<int64_t>(x.size(0) * x.size(1), 1)), x.size(1)});
}
Tensor dense_matrix(const Tensor& x, DType dtype) { return matrix_of(x.detach().to(dtype)).contiguous(); }

/// The matrix [rows, C] seen as [N, C, ...] of `shape`.
Tensor shown(const Tensor& matrix, const Shape& shape) {
  if (shape.rank() == 2) return matrix;
  if (shape.rank() == 3) return matrix.view({shape[0], shape[2], shape[1]}).transpose(1, 2);
  return matrix.view({shape[0], shape[2], shape[3], shape[1]}).permute({0, 3, 1, 2});
}

struct Wanted {
  bool input, weight, bias;
};

/// {of the input, of the weight, of the bias}, all as matrices; differentiable.
Tensors batch_norm_gradient(const Tensor& upstream, const Tensor& input, const Tensor& weight, const Tensor& statistics,
                            Wanted wanted, bool training, double eps) {
  const Operation operation{"batch_norm_gradient"};
  const DType compute = statistics.dtype();
  const int64_t channels = input.size(1);
  const TensorOptions options{compute, input.device()};
  const Tensor of_input = wanted.input ? Tensor::empty(input.shape(), options) : Tensor();
  const Tensor of_weight = zeros({channels}, options), of_bias = zeros({channels}, options);
  if (input.numel())
    on<cpu::batch_norm_gradient, cuda::batch_norm_gradient>(
        input.device(), BatchNormGradient{upstream.detach().to(compute).contiguous(), input.detach().contiguous(),
                                          weight.defined() ? weight.detach().contiguous() : weight, statistics,
                                          of_input, of_weight, of_bias, training});
  const Tensors outputs{of_input, wanted.weight ? of_weight : Tensor(), wanted.bias ? of_bias : Tensor()};
  return record_all(
      "NativeBatchNormBackwardBackward0", outputs, {upstream, input, weight},
      saved(upstream, input, weight, statistics),
      [training, eps](const Tensors& gradients, const Saved& saved) -> Tensors {
        if (training)
          return normalisation_second_gradient(gradients[0], gradients[1], gradients[2], saved[0], saved[1], saved[2],
                                               eps, 0);
        const Tensor shift = saved[3].select(1, 0), scale = saved[3].select(1, 1);
        const Tensor upstream = saved[0], weight = saved[2], y = (saved[1] - shift) * scale + saved[3].select(1, 2);
        Tensors found(3);
        const auto add = [](Tensor& total, const Tensor& more) { total = total.defined() ? total + more : more; };
        if (gradients[0].defined()) {
          add(found[0], gradients[0] * (weight.defined() ? weight * scale : scale));
          if (weight.defined()) found[2] = sum_to_shape(gradients[0] * upstream * scale, weight.shape());
        }
        if (gradients[1].defined()) {
          add(found[0], gradients[1] * y);
          found[1] = gradients[1] * upstream * scale;
        }
        if (gradients[2].defined()) add(found[0], gradients[2].expand(upstream.shape()));
        return found;
      });
}

void check(const Tensor& input, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
           const Tensor& bias, const BatchNormOptions& options) {
  const char* name = "batch_norm";
  require(input.rank() >= 2 && input.rank() <= 4 && is_floating(input.dtype()), name,
          "input must be [N, C], [N, C, L] or [N, C, H, W] of a floating dtype, got {} of {}", input.shape(),
          input.dtype());
  const int64_t channels = input.size(1);
  const DType dtype = compute_dtype(input.dtype());
  const std::pair<const char*, const Tensor*> vectors[] = {
      {"running_mean", &running_mean}, {"running_var", &running_var}, {"weight", &weight}, {"bias", &bias}};
  for (const auto& [what, vector] : vectors) {
    if (!vector->defined()) continue;
    require(vector->rank() == 1 && vector->size(0) == channels && vector->dtype() == dtype, name,
            "{} must be [{}] of {}, got {} of {}", what, channels, dtype, vector->shape(), vector->dtype());
    require_same_device(name, {&input, vector});
  }
  require(running_mean.defined() == running_var.defined(), name, "running_mean and running_var go together");
  require(options.training || running_mean.defined(), name,
          "outside of training there must be a running mean and variance");
  if (options.training && running_mean.defined())
    require(running_mean.is_contiguous() && running_var.is_contiguous(), name,
            "running_mean and running_var are written in place, and must be contiguous");
  require(!options.training || input.numel() == 0 || input.numel() > channels, name,
          "training needs more than one element a channel, got {}", input.shape());
  require(options.eps >= 0, name, "eps cannot be negative, got {}", options.eps);
}

}  // namespace

Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, const BatchNormOptions& options) {
  const Operation operation{"batch_norm"};
  check(input, running_mean, running_var, weight, bias, options);
  const DType compute = compute_dtype(input.dtype());
  const Tensor matrix = dense_matrix(input, compute);
  const Tensor result = Tensor::empty(matrix.shape(), matrix.options());
  const Tensor statistics = Tensor::empty({input.size(1), 3}, {compute, input.device()});
  if (result.numel()) {
    const Tensor scales = weight.defined() ? weight.detach().contiguous() : weight;
    const Tensor offsets = bias.defined() ? bias.detach().contiguous() : bias;
    const auto as_is = [](const Tensor& x) { return x.defined() ? x.detach().contiguous() : x; };
    const RunningStatistics running{as_is(running_mean), as_is(running_var), options.momentum};
    if (options.training) {
      on<cpu::batch_statistics, cuda::batch_statistics>(input.device(), matrix, options.eps, running, statistics);
      if (running_mean.defined()) running_mean.mark_written("batch_norm"), running_var.mark_written("batch_norm");
    } else {
      on<cpu::running_statistics, cuda::running_statistics>(input.device(), running, options.eps, statistics);
    }
    on<cpu::batch_norm, cuda::batch_norm>(input.device(), BatchNorm{matrix, scales, offsets, statistics, result});
  }
  const Tensor output = shown(result, input.shape()).to(input.dtype());
  return record(
      "NativeBatchNormBackward0", output, {input, weight, bias}, saved(input, weight, statistics),
      [training = options.training, eps = options.eps](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor input = saved[0], statistics = saved[2];
        const DType compute = statistics.dtype();
        const Wanted wanted{saved.needs(0), saved.needs(1), saved.needs(2)};
        const Tensors found = batch_norm_gradient(matrix_of(gradients[0].to(compute)), matrix_of(input.to(compute)),
                                                  saved[1], statistics, wanted, training, eps);
        return {wanted.input ? shown(found[0], input.shape()).to(input.dtype()) : Tensor(), found[1], found[2]};
      });
}

}  // namespace percale
