#include "layer_norm.h"

#include <algorithm>

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "../reduction/reduction.h"
#include "layer_norm_twins.h"

namespace percale {
namespace {

/// Row-major [rows, width] in `dtype`, without history; undefined stays so.
Tensor rows_of(const Tensor& x, DType dtype) {
  if (!x.defined()) return x;
  return x.detach().to(dtype).contiguous().view({x.numel() / std::max<int64_t>(x.size(-1), 1), x.size(-1)});
}
Tensor vector_of(const Tensor& x, DType dtype) { return x.defined() ? x.detach().to(dtype).contiguous() : x; }

/// The dtypes in which a twin takes two operands that are added: as they are, if of two then with f32 last.
struct Operands {
  Tensor first, second;
  bool swapped = false;

  Operands(const Tensor& input, const Tensor& residual, DType compute) {
    const auto fits = [&](const Tensor& x) { return compute == f64 ? f64 : x.dtype(); };
    DType dtypes[2] = {fits(input), residual.defined() ? fits(residual) : f32};
    if (residual.defined() && dtypes[0] != dtypes[1]) {
      swapped = dtypes[0] == f32;
      if (dtypes[0] != f32 && dtypes[1] != f32) dtypes[0] = dtypes[1] = f32;
    }
    first = rows_of(swapped ? residual : input, dtypes[swapped ? 1 : 0]);
    second = rows_of(swapped ? input : residual, dtypes[swapped ? 0 : 1]);
  }
  bool mixed() const { return second.defined() && second.dtype() != first.dtype(); }
};

Tensor sum_of(const Tensor& a, const Tensor& b) { return !a.defined() ? b : b.defined() ? a + b : a; }

}  // namespace

Tensors normalisation_second_gradient(const Tensor& v, const Tensor& of_weight, const Tensor& of_bias,
                                      const Tensor& upstream, const Tensor& x, const Tensor& weight, double eps,
                                      int64_t dim) {
  const auto row_mean = [dim](const Tensor& a) { return mean(a, {dim}, true); };
  const Tensor centred = x - row_mean(x), scale = div(1.0, sqrt(row_mean(centred * centred) + eps));
  const Tensor y = centred * scale, h = weight.defined() ? upstream * weight : upstream;
  const auto projected = [&](const Tensor& a) { return a - row_mean(a) - y * row_mean(a * y); };
  Tensor to_upstream, to_normalised, to_x, to_weight;
  if (v.defined()) {
    const Tensor spread = scale * projected(v);
    to_upstream = weight.defined() ? spread * weight : spread;
    if (weight.defined()) to_weight = sum_to_shape(upstream * spread, weight.shape());
    to_normalised = neg(scale * (h * row_mean(v * y) + v * row_mean(h * y)));
    to_x = neg(scale * y * row_mean(v * scale * projected(h)));
  }
  if (of_weight.defined()) {
    to_upstream = sum_of(to_upstream, of_weight * y);
    to_normalised = sum_of(to_normalised, of_weight * upstream);
  }
  if (of_bias.defined()) to_upstream = sum_of(to_upstream, of_bias.expand(upstream.shape()));
  if (to_normalised.defined()) to_x = sum_of(to_x, scale * projected(to_normalised));
  return {to_upstream, to_x, to_weight};
}

Tensors layer_norm_gradient(const Tensor& upstream, const Tensor& input, const Tensor& residual, const Tensor& weight,
                            const Tensor& statistics, LayerNormWanted wanted, DType parameters, double eps) {
  const Operation operation{"layer_norm_gradient"};
  const DType compute = statistics.dtype();
  const int64_t width = input.size(-1);
  const bool two = residual.defined() && residual.dtype() != input.dtype();
  const Operands operands(input, residual, compute);
  const Tensor first = wanted.input || wanted.residual ? Tensor::empty_like(operands.first) : Tensor();
  const Tensor second = first.defined() && operands.mixed() ? Tensor::empty_like(operands.second) : Tensor();
  const auto parameter = [&](bool is_wanted) {
    return is_wanted ? zeros({width}, {compute, input.device()}) : Tensor();
  };
  const Tensor of_weight = parameter(wanted.weight), of_bias = parameter(wanted.bias);
  if (upstream.numel()) {
    const bool all_alike = upstream.dtype() == operands.first.dtype() && !operands.mixed();
    const DType result = all_alike ? upstream.dtype() : compute;
    on<cpu::layer_norm_gradient, cuda::layer_norm_gradient>(
        input.device(), LayerNormGradient{rows_of(upstream, result), operands.first, operands.second,
                                          vector_of(weight, compute), statistics, first, second, of_weight, of_bias});
  }
  const auto shown = [&](const Tensor& rows, DType dtype) {
    return rows.defined() ? rows.view(input.shape()).to(dtype) : rows;
  };
  Tensors outputs(4);
  outputs[0] = shown(operands.swapped ? second : first, input.dtype());
  if (two) outputs[1] = shown(operands.swapped || !second.defined() ? first : second, residual.dtype());
  if (of_weight.defined()) outputs[2] = of_weight.to(parameters);
  if (of_bias.defined()) outputs[3] = of_bias.to(parameters);
  return record_all("NativeLayerNormBackwardBackward0", outputs, {upstream, input, residual, weight},
                    saved(upstream, input, residual, weight),
                    [compute, eps](const Tensors& gradients, const Saved& saved) -> Tensors {
                      const auto in = [&](const Tensor& x) { return x.defined() ? x.to(compute) : x; };
                      const Tensor weight = in(saved[3]);
                      const Tensors found = normalisation_second_gradient(
                          sum_of(in(gradients[0]), in(gradients[1])), in(gradients[2]), in(gradients[3]), in(saved[0]),
                          sum_of(in(saved[1]), in(saved[2])), weight, eps, -1);
                      const auto as = [&](const Tensor& x, int like) {
                        return x.defined() && saved[like].defined() ? x.to(saved[like].dtype()) : Tensor();
                      };
                      return {as(found[0], 0), as(found[1], 1), as(found[1], 2), as(found[2], 3)};
                    });
}

namespace {

void check(const char* name, const Tensor& input, const Tensor* residual, const Tensor& weight, const Tensor& bias,
           double eps) {
  require(input.rank() > 0 && is_floating(input.dtype()), name,
          "input must be [..., width] of a floating dtype, got {} of {}", input.shape(), input.dtype());
  const int64_t width = input.size(-1);
  if (residual) {
    require(residual->shape() == input.shape() && is_floating(residual->dtype()), name,
            "residual must be {} as the input, of a floating dtype, got {} of {}", input.shape(), residual->shape(),
            residual->dtype());
    require_same_device(name, {&input, residual});
  }
  for (const auto& [what, parameter] : {std::pair("weight", &weight), std::pair("bias", &bias)})
    if (parameter->defined())
      require(parameter->rank() == 1 && parameter->size(0) == width && is_floating(parameter->dtype()), name,
              "{} must be [{}] of a floating dtype, got {} of {}", what, width, parameter->shape(), parameter->dtype());
  if (weight.defined() && bias.defined())
    require(weight.dtype() == bias.dtype(), name, "bias must be {} as the weight, got {}", weight.dtype(),
            bias.dtype());
  require_same_device(name, {&input, &weight, &bias});
  require(eps >= 0, name, "eps cannot be negative, got {}", eps);
}

Tensor apply(const Tensor& input, const Tensor& residual, const Tensor& weight, const Tensor& bias, double eps,
             std::optional<DType> wanted = {}) {
  DType dtype = input.dtype();
  for (const Tensor* other : {&residual, &weight, &bias})
    if (other->defined()) dtype = promote(dtype, other->dtype());
  const DType compute = compute_dtype(dtype);
  if (wanted) {
    const bool is_narrow = compute == f32 && *wanted == input.dtype() && *wanted == residual.dtype();
    require(*wanted == dtype || is_narrow, "add_layer_norm",
            "the result must be {}, or of the dtype that input and residual share, not {}", dtype, *wanted);
    dtype = *wanted;
  }
  const Tensor result = Tensor::empty(input.shape(), {dtype, input.device()});
  Tensor statistics;
  if (should_record({input, residual, weight, bias}))
    statistics = Tensor::empty({input.size(-1) ? input.numel() / input.size(-1) : 0, 3}, {compute, input.device()});
  if (result.numel()) {
    const Operands operands(input, residual, compute);
    on<cpu::layer_norm, cuda::layer_norm>(
        input.device(), LayerNorm{operands.first, operands.second, vector_of(weight, compute), vector_of(bias, compute),
                                  rows_of(result, dtype), statistics, eps});
  }
  const DType parameters = weight.defined() ? weight.dtype() : bias.defined() ? bias.dtype() : compute;
  return record(
      "NativeLayerNormBackward0", result, {input, residual, weight, bias}, saved(input, residual, weight, statistics),
      [parameters, eps](const Tensors& gradients, const Saved& saved) -> Tensors {
        const LayerNormWanted wanted{saved.needs(0), saved.needs(1), saved.needs(2), saved.needs(3)};
        const Tensors found =
            layer_norm_gradient(gradients[0], saved[0], saved[1], saved[2], saved[3], wanted, parameters, eps);
        return {wanted.input ? found[0] : Tensor(),
                !wanted.residual     ? Tensor()
                : found[1].defined() ? found[1]
                                     : found[0],
                found[2], found[3]};
      });
}

}  // namespace

Tensor layer_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, double eps) {
  const Operation operation{"layer_norm"};
  check("layer_norm", input, nullptr, weight, bias, eps);
  return apply(input, {}, weight, bias, eps);
}

Tensor add_layer_norm(const Tensor& input, const Tensor& residual, const Tensor& weight, const Tensor& bias, double eps,
                      std::optional<DType> result) {
  const Operation operation{"add_layer_norm"};
  check("add_layer_norm", input, &residual, weight, bias, eps);
  return apply(input, residual, weight, bias, eps, result);
}

}  // namespace percale
