#include "init.h"

#include <cmath>

#include "../core/autograd.h"
#include "../kernels/random/random.h"

namespace percale::nn::init {
namespace {

thread_local bool skips = false;

double deviation(const Tensor& tensor, const KaimingOptions& options) {
  const Fans fans = calculate_fans(tensor);
  const auto fan = static_cast<double>(options.mode == FanMode::fan_in ? fans.in : fans.out);
  return calculate_gain(options.nonlinearity, options.a) / std::sqrt(fan);
}

double deviation(const Tensor& tensor, double gain) {
  const Fans fans = calculate_fans(tensor);
  return gain * std::sqrt(2.0 / static_cast<double>(fans.in + fans.out));
}

}  // namespace

SkipGuard::SkipGuard() : previous_(skips) { skips = true; }
SkipGuard::~SkipGuard() { skips = previous_; }
bool skipped() { return skips; }

void uniform_(const Tensor& tensor, double low, double high) {
  if (skips) return;
  const NoGradGuard no_grad;
  percale::uniform_(tensor, low, high);
}

void normal_(const Tensor& tensor, double mean, double std) {
  if (skips) return;
  const NoGradGuard no_grad;
  percale::normal_(tensor, mean, std);
}

void constant_(const Tensor& tensor, double value) {
  if (skips) return;
  const NoGradGuard no_grad;
  tensor.fill_(value);
}

void zeros_(const Tensor& tensor) { constant_(tensor, 0); }
void ones_(const Tensor& tensor) { constant_(tensor, 1); }

Fans calculate_fans(const Tensor& weight) {
  require(weight.rank() >= 2, "init", "fans need a weight of at least two dimensions, got {}", weight.shape());
  int64_t window = 1;
  for (int dim = 2; dim < weight.rank(); ++dim) window *= weight.size(dim);
  return {weight.size(1) * window, weight.size(0) * window};
}

double calculate_gain(Nonlinearity nonlinearity, double slope) {
  switch (nonlinearity) {
    case Nonlinearity::tanh:
      return 5.0 / 3;
    case Nonlinearity::relu:
      return std::sqrt(2.0);
    case Nonlinearity::leaky_relu:
      return std::sqrt(2.0 / (1 + slope * slope));
    case Nonlinearity::selu:
      return 0.75;
    case Nonlinearity::linear:
    case Nonlinearity::sigmoid:
      break;
  }
  return 1;
}

void xavier_uniform_(const Tensor& tensor, double gain) {
  const double bound = std::sqrt(3.0) * deviation(tensor, gain);
  init::uniform_(tensor, -bound, bound);
}

void xavier_normal_(const Tensor& tensor, double gain) { init::normal_(tensor, 0, deviation(tensor, gain)); }

void kaiming_uniform_(const Tensor& tensor, const KaimingOptions& options) {
  if (tensor.numel() == 0) return;
  const double bound = std::sqrt(3.0) * deviation(tensor, options);
  init::uniform_(tensor, -bound, bound);
}

void kaiming_normal_(const Tensor& tensor, const KaimingOptions& options) {
  if (tensor.numel() == 0) return;
  init::normal_(tensor, 0, deviation(tensor, options));
}

void default_weight_(const Tensor& weight) { kaiming_uniform_(weight, {.a = std::sqrt(5.0)}); }

void default_bias_(const Tensor& bias, const Tensor& weight) {
  const int64_t fan = calculate_fans(weight).in;
  const double bound = fan > 0 ? 1 / std::sqrt(static_cast<double>(fan)) : 0;
  init::uniform_(bias, -bound, bound);
}

}  // namespace percale::nn::init
