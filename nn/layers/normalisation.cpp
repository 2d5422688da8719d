#include "normalisation.h"

#include "../../core/autograd.h"
#include "../../kernels/batch_norm/batch_norm.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/layer_norm/layer_norm.h"

namespace percale::nn {
namespace {

const char* python(bool value) { return value ? "True" : "False"; }

}  // namespace

LayerNorm::LayerNorm(int64_t width, const LayerNormOptions& options) : eps_(options.eps) {
  require(width > 0, "LayerNorm", "the width must be positive, got {}", width);
  const bool has_bias = options.elementwise_affine && options.bias;
  if (options.elementwise_affine) weight = add("weight", ones({width}));
  if (has_bias) bias = add("bias", zeros({width}));
  describe(format_text("({},), eps={}, elementwise_affine={}, bias={}",
                       {text(width), text(eps_), python(options.elementwise_affine), python(has_bias)}));
}

Tensor LayerNorm::forward(const Tensor& x) const { return layer_norm(x, weight, bias, eps_); }

Tensor LayerNorm::of_sum(const Tensor& x, const Tensor& residual, std::optional<DType> result) const {
  if (!has_hooks()) return add_layer_norm(x, residual, weight, bias, eps_, result);
  const Tensor normalised = (*this)(x + residual);
  return result ? normalised.to(*result) : normalised;
}

template <class Self>
BatchNorm<Self>::BatchNorm(int64_t num_features, const BatchNormOptions& options) : options_(options) {
  require(num_features > 0, this->type().c_str(), "the number of features must be positive, got {}", num_features);
  if (options.affine) {
    weight = this->add("weight", ones({num_features}));
    bias = this->add("bias", zeros({num_features}));
  }
  if (options.track_running_stats) {
    running_mean = this->add_buffer("running_mean", zeros({num_features}));
    running_var = this->add_buffer("running_var", ones({num_features}));
    num_batches_tracked = this->add_buffer("num_batches_tracked", zeros({}, {i64, cpu_device}));
  }
  this->describe(
      format_text("{}, eps={}, momentum={}, affine={}, bias={}, track_running_stats={}",
                  {text(num_features), text(options.eps), options.momentum ? text(*options.momentum) : "None",
                   python(options.affine), python(options.affine), python(options.track_running_stats)}));
}

template <class Self>
Tensor BatchNorm<Self>::normalised(const Tensor& x) const {
  if (weight.defined() || running_mean.defined()) {
    const int64_t features = (weight.defined() ? weight : running_mean).size(0);
    require(x.size(1) == features, this->type().c_str(), "x must have {} channels, got {}", features, x.shape());
  }
  const bool training = this->training(), follows = training && running_mean.defined();
  double momentum = follows ? options_.momentum.value_or(0) : 0;
  if (follows && !options_.momentum)
    momentum = 1 / static_cast<double>(num_batches_tracked.template item<int64_t>() + 1);
  const Tensor y =
      batch_norm(x, running_mean, running_var, weight, bias,
                 {.training = training || !running_mean.defined(), .momentum = momentum, .eps = options_.eps});
  if (training && num_batches_tracked.defined()) num_batches_tracked += 1;
  return y;
}

template class BatchNorm<BatchNorm1d>;
template class BatchNorm<BatchNorm2d>;

BatchNorm1d::BatchNorm1d(int64_t num_features, const BatchNormOptions& options) : BatchNorm(num_features, options) {}

Tensor BatchNorm1d::forward(const Tensor& x) const {
  require(x.rank() == 2 || x.rank() == 3, "BatchNorm1d", "x must be [N, C] or [N, C, L], got {}", x.shape());
  return normalised(x);
}

BatchNorm2d::BatchNorm2d(int64_t num_features, const BatchNormOptions& options) : BatchNorm(num_features, options) {}

Tensor BatchNorm2d::forward(const Tensor& x) const {
  require(x.rank() == 4, "BatchNorm2d", "x must be [N, C, H, W], got {}", x.shape());
  return normalised(x);
}

}  // namespace percale::nn
