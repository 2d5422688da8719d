// How one vector of a parameter and its state moves with its gradient, with SIMD: what dense and row-sparse steps
// share. For a `_cpu.cpp` file, as common/vector_math-inl.h.
#if defined(PERCALE_OPTIMIZER_UPDATE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PERCALE_OPTIMIZER_UPDATE_INL_H
#undef PERCALE_OPTIMIZER_UPDATE_INL_H
#else
#define PERCALE_OPTIMIZER_UPDATE_INL_H
#endif

#include <hwy/highway.h>

#include <limits>

#include "optimizer_twins.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The parameter after the step; `state` holds `states` vectors, which are moved too.
template <int states, class D, class T, class V = hn::Vec<D>>
HWY_INLINE V updated(D d, const SgdNumbers<T>& n, V p, V gradient, V* state) {
  auto direction = gradient * hn::Set(d, n.sign);
  if (n.decays) direction = direction + hn::Set(d, n.weight_decay) * p;
  if constexpr (states > 0) {
    const auto momentum = hn::Set(d, n.momentum);
    state[0] = n.first ? direction : momentum * state[0] + hn::Set(d, n.fresh) * direction;
    direction = n.nesterov ? direction + momentum * state[0] : state[0];
  }
  return p + hn::Set(d, n.negative_rate) * direction;
}

template <int states, class D, class T, class V = hn::Vec<D>>
HWY_INLINE V updated(D d, const AdagradNumbers<T>& n, V p, V gradient, V* state) {
  auto g = gradient * hn::Set(d, n.sign);
  if (n.decays) g = g + hn::Set(d, n.weight_decay) * p;
  state[0] = state[0] + g * g;
  return p + hn::Set(d, n.negative_size) * g / (hn::Sqrt(state[0]) + hn::Set(d, n.eps));
}

/// A moment without what lies below the normal numbers: where no gradient comes any more (a dead ReLU) it would stay
/// there for ever, and the processor takes a hundred times as long over such a number (5 % of them: Adam 9 times
/// slower).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V without_denormals(D d, V moment) {
  using T = hn::TFromD<D>;
  return hn::IfThenZeroElse(hn::Lt(hn::Abs(moment), hn::Set(d, std::numeric_limits<T>::min())), moment);
}

template <int states, class D, class T, class V = hn::Vec<D>>
HWY_INLINE V updated(D d, const AdamNumbers<T>& n, V p, V gradient, V* state) {
  p = p * hn::Set(d, n.keep);
  auto g = gradient * hn::Set(d, n.sign);
  if (n.decays) g = g + hn::Set(d, n.weight_decay) * p;
  state[0] = without_denormals(d, state[0] + hn::Set(d, n.fresh1) * (g - state[0]));
  state[1] = without_denormals(d, hn::Set(d, n.beta2) * state[1] + hn::Set(d, n.fresh2) * g * g);
  auto v = state[1];
  if constexpr (states > 2) {
    v = hn::IfThenElse(hn::Or(hn::Lt(state[2], v), hn::IsNaN(v)), v, state[2]);
    state[2] = v;
  }
  const auto denominator = hn::Sqrt(v) * hn::Set(d, n.inverse_root) + hn::Set(d, n.eps);
  return p + hn::Set(d, n.negative_size) * state[0] / denominator;
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
