// Losses of inputs and targets element by element, on the CPU: cut in pieces by size alone, sums in f64 and in order.
#pragma once

#include "../../core/cpu/threads.h"
#include "../../core/tensor.h"

namespace percale::cpu {

/// loss: one value an element (`each`), or the sum of all divided by `divisor`. `losses(input, target, values, count)`
/// returns a sum in f64, and writes the terms to `values` if that is not null. `grain`: elements a piece.
template <class T, class Losses>
void elementwise_loss(const Losses& losses, const Tensor& input, const Tensor& target, const Tensor& loss, bool each,
                      double divisor, int64_t grain) {
  const T *x = input.data<T>(), *t = target.data<T>();
  T* values = loss.data<T>();
  const int64_t count = input.numel(), pieces = (count + grain - 1) / grain;
  const Tensor workspace = Tensor::empty({pieces}, {f64, cpu_device});
  auto* sums = workspace.data<double>();
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    sums[begin / grain] = losses(x + begin, t + begin, each ? values + begin : nullptr, end - begin);
  });
  if (each) return;
  for (int64_t k = 1; k < pieces; ++k) sums[0] += sums[k];
  *values = static_cast<T>(sums[0] / divisor);
}

/// result = gradient * factor * slope; the gradient has one value an element (`each`), or one in all.
/// `slopes(gradient, input, target, factor, result, count)`: its gradient is null where `factor` holds it.
template <class T, class Slopes>
void elementwise_loss_gradient(const Slopes& slopes, const Tensor& gradient, const Tensor& input, const Tensor& target,
                               const Tensor& result, bool each, double factor, int64_t grain) {
  const T *upstream = gradient.data<T>(), *x = input.data<T>(), *t = target.data<T>();
  T* to = result.data<T>();
  const T scale = static_cast<T>(each ? factor : factor * static_cast<double>(*upstream));
  parallel_for(input.numel(), grain, [&](int64_t begin, int64_t end) {
    slopes(each ? upstream + begin : nullptr, x + begin, t + begin, scale, to + begin, end - begin);
  });
}

}  // namespace percale::cpu
