#include "check.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "../../core/autograd.h"
#include "../../core/primitives.h"

namespace percale::testing {
namespace {

Tensor on_host(const Tensor& tensor, DType dtype) { return tensor.detach().to(cpu_device).to(dtype).contiguous(); }

/// sum(output * weight) over all outputs, in f64 on the host.
double weighted_sum(const Tensors& outputs, const Tensors& weights) {
  double total = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!is_floating(outputs[i].dtype())) continue;
    const Tensor output = on_host(outputs[i], f64), weight = on_host(weights[i], f64);
    for (int64_t k = 0; k < output.numel(); ++k) total += output.data<double>()[k] * weight.data<double>()[k];
  }
  return total;
}

/// Fixed numbers of no special structure, one for each element of each output.
Tensors weights_for(const Tensors& outputs) {
  Tensors weights;
  double value = 0.3;
  for (const Tensor& output : outputs) {
    Tensor weight = Tensor::empty(output.shape(), {f64, cpu_device});
    for (int64_t k = 0; k < weight.numel(); ++k) {
      value = std::fmod(value * 7.13 + 0.37, 2.0);
      weight.data<double>()[k] = std::round((value - 1.0) * 8) / 8;
    }
    weights.push_back(weight.to(is_floating(output.dtype()) ? output.dtype() : f64).to(output.device()));
  }
  return weights;
}

Tensors fresh_inputs(const Tensors& inputs, Device device) {
  Tensors result;
  for (const Tensor& input : inputs) {
    Tensor copy = input.detach().to(device).clone();
    copy.requires_grad_(input.requires_grad());
    result.push_back(copy);
  }
  return result;
}

Tensors differentiable(const Tensors& outputs) {
  Tensors result;
  for (const Tensor& output : outputs)
    if (output.requires_grad()) result.push_back(output);
  return result;
}

/// The gradients of the weighted outputs with respect to the inputs that require one; undefined for the others.
Tensors gradients_of(const Tensors& outputs, const Tensors& inputs) {
  const Tensors reached = differentiable(outputs);
  if (reached.empty()) return Tensors(inputs.size());
  backward(reached, weights_for(reached));
  Tensors result;
  for (const Tensor& input : inputs) result.push_back(input.grad());
  return result;
}

}  // namespace

double relative_difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  const Tensor left = on_host(a, f64), right = on_host(b, f64);
  double largest = 0, scale = 1;
  for (int64_t i = 0; i < left.numel(); ++i) {
    const double x = left.data<double>()[i], y = right.data<double>()[i];
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x == y) continue;
    if (!std::isfinite(x) || !std::isfinite(y)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(x - y));
    scale = std::max(scale, std::abs(y));
  }
  return largest / scale;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor left = on_host(a, a.dtype()), right = on_host(b, b.dtype());
  const size_t width = size_of(a.dtype());
  for (int64_t i = 0; i < left.numel(); ++i) {
    const auto offset = static_cast<size_t>(i) * width;
    if (!std::memcmp(static_cast<char*>(left.data()) + offset, static_cast<char*>(right.data()) + offset, width))
      continue;
    if (!is_floating(a.dtype())) return false;
    const Tensor x = left.reshape({-1}).select(0, i), y = right.reshape({-1}).select(0, i);
    if (!(std::isnan(x.item<double>()) && std::isnan(y.item<double>()))) return false;
  }
  return true;
}

std::string check_grad(const Function& function, const Tensors& inputs, double tolerance) {
  const Tensors own = fresh_inputs(inputs, inputs.empty() ? cpu_device : inputs[0].device());
  const Tensors outputs = function(own);
  const Tensors weights = weights_for(outputs);
  const Tensors gradients = gradients_of(outputs, own);
  for (size_t i = 0; i < own.size(); ++i) {
    if (!own[i].requires_grad()) continue;
    // No gradient is a gradient of zero; finite differences tell whether that is so.
    const Tensor analytic = gradients[i].defined() ? on_host(gradients[i], f64) : Tensor();
    const Tensor values = on_host(own[i], f64);
    const NoGradGuard no_grad;
    for (int64_t k = 0; k < values.numel(); ++k) {
      double* element = values.data<double>() + k;
      const double original = *element, step = 1e-5;
      auto at = [&](double value) {
        *element = value;
        Tensors moved = own;
        moved[i] = values.to(own[i].device()).clone();
        return weighted_sum(function(moved), weights);
      };
      const double numeric = (at(original + step) - at(original - step)) / (2 * step);
      *element = original;
      const double found = analytic.defined() ? analytic.data<double>()[k] : 0;
      if (!(std::abs(found - numeric) <= tolerance * std::max(1.0, std::abs(numeric)) * 10))
        return "gradient of input " + std::to_string(i) + " at element " + std::to_string(k) + " is " + text(found) +
               ", finite differences say " + text(numeric);
    }
  }
  return {};
}

std::string check_twin(const Function& function, const Tensors& inputs, double tolerance) {
  if (!cuda_available()) return {};
  Tensors results[2], gradients[2];
  for (const Device device : {cpu_device, cuda_device}) {
    const Tensors own = fresh_inputs(inputs, device);
    results[device.is_cuda()] = function(own);
    gradients[device.is_cuda()] = gradients_of(results[device.is_cuda()], own);
  }
  auto differs = [&](const Tensor& host, const Tensor& device) {
    if (host.defined() != device.defined()) return true;
    if (!host.defined()) return false;
    if (tolerance == 0 || !is_floating(host.dtype())) return !same_bytes(device, host);
    return !(relative_difference(device, host) <= tolerance);
  };
  for (size_t i = 0; i < results[0].size(); ++i)
    if (differs(results[0][i], results[1][i]))
      return "output " + std::to_string(i) + " differs between cpu and cuda by " +
             text(relative_difference(results[1][i], results[0][i]));
  for (size_t i = 0; i < gradients[0].size(); ++i)
    if (differs(gradients[0][i], gradients[1][i]))
      return "gradient " + std::to_string(i) + " differs between cpu and cuda by " +
             text(relative_difference(gradients[1][i], gradients[0][i]));
  return {};
}

}  // namespace percale::testing
