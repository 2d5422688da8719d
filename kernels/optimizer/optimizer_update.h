// How one element of a parameter and its state moves with its gradient on CUDA: what dense and row-sparse steps share.
// For a `_cuda.cu` file, behind common/device.h.
#pragma once

#include "optimizer_twins.h"

namespace percale::cuda {

__device__ inline float square_root(float value) { return sqrtf(value); }
__device__ inline double square_root(double value) { return sqrt(value); }

/// `states` of the three are used, and moved too.
template <int states, class T>
__device__ void update(const SgdNumbers<T>& n, T& parameter, T gradient, T (&state)[3]) {
  T direction = gradient * n.sign;
  if (n.decays) direction = direction + n.weight_decay * parameter;
  if constexpr (states > 0) {
    state[0] = n.first ? direction : n.momentum * state[0] + n.fresh * direction;
    direction = n.nesterov ? direction + n.momentum * state[0] : state[0];
  }
  parameter = parameter + n.negative_rate * direction;
}

template <int states, class T>
__device__ void update(const AdagradNumbers<T>& n, T& parameter, T gradient, T (&state)[3]) {
  T g = gradient * n.sign;
  if (n.decays) g = g + n.weight_decay * parameter;
  state[0] = state[0] + g * g;
  parameter = parameter + n.negative_size * g / (square_root(state[0]) + n.eps);
}

/// A moment without what lies below the normal numbers, as the CPU's twin has it (which is slow with them).
__device__ inline float without_denormals(float moment) { return fabsf(moment) < 0x1p-126f ? 0.0f : moment; }
__device__ inline double without_denormals(double moment) { return fabs(moment) < 0x1p-1022 ? 0.0 : moment; }

template <int states, class T>
__device__ void update(const AdamNumbers<T>& n, T& parameter, T gradient, T (&state)[3]) {
  const T p = parameter * n.keep;
  T g = gradient * n.sign;
  if (n.decays) g = g + n.weight_decay * p;
  state[0] = without_denormals(state[0] + n.fresh1 * (g - state[0]));
  state[1] = without_denormals(n.beta2 * state[1] + n.fresh2 * g * g);
  T v = state[1];
  if constexpr (states > 2) v = state[2] = state[2] < v || v != v ? v : state[2];
  parameter = p + n.negative_size * state[0] / (square_root(v) * n.inverse_root + n.eps);
}

}  // namespace percale::cuda
