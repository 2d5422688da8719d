// A table of a model's layers, as torchinfo prints it.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>

#include "module.h"

namespace percale::nn {

/// The table of `module`, whose layers are seen while `forward` runs it (in evaluation mode, without gradients).
/// What `summary(model, shape)` calls.
std::string summarize(const Module& module, const Tensors& inputs, const std::function<void()>& forward);

/// Runs `model` on zeros of `input_shape` and describes every layer that took part: output shape, parameters, and
/// totals of parameters, multiplications and memory. The text is torchinfo's for the same model, byte for byte
/// (`summary(model, input_size)`; its `Units.MEGABYTES` under Python 3.11 and later is written `M`, as in its
/// documentation).
///
///     std::cout << nn::summary(model, {64, 1, 28, 28}) << "\n";
template <class Model>
std::string summary(const Model& model, const Shape& input_shape, DType dtype = f32) {
  const Tensors parameters = model.parameters();
  const Device device = parameters.empty() ? cpu_device : parameters[0].device();
  const Tensor input = Tensor::empty(input_shape, {dtype, device});
  input.zero_();
  return summarize(model, {input}, [&] { (void)model(input); });
}

}  // namespace percale::nn
