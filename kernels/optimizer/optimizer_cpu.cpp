#include <algorithm>

#include "../../core/cpu/threads.h"
#include "../common/half_rows.h"
#include "optimizer_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/optimizer/optimizer_cpu.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include "optimizer_update-inl.h"

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Runs `body(d, i)` with whole vectors from `begin`, then one element at a time: both by the same instructions.
template <class T, class Body>
HWY_INLINE void for_each_vector(int64_t begin, int64_t end, Body&& body) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) body(d, i);
  for (; i < end; ++i) body(single, i);
}

/// Moves elements begin to end - 1 of a parameter, and of its `states`.
template <int states, class T, class Numbers>
void step_elements(const ParameterSpan& span, const Numbers& numbers, int64_t begin, int64_t end) {
  T* parameter = static_cast<T*>(span.parameter);
  const T* gradient = static_cast<const T*>(span.gradient);
  T* state[3] = {static_cast<T*>(span.states[0]), static_cast<T*>(span.states[1]), static_cast<T*>(span.states[2])};
  constexpr int64_t ahead = 1024 / sizeof(T);
  for_each_vector<T>(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    if constexpr (states > 1) {  // four streams are more than the hardware follows well: a tenth faster
      hwy::Prefetch(parameter + i + ahead);
      hwy::Prefetch(gradient + i + ahead);
      hwy::Prefetch(state[0] + i + ahead);
      hwy::Prefetch(state[1] + i + ahead);
    }
    hn::Vec<decltype(d)> own[states + 1];
    for (int k = 0; k < states; ++k) own[k] = hn::LoadU(d, state[k] + i);
    const auto p = updated<states>(d, numbers, hn::LoadU(d, parameter + i), hn::LoadU(d, gradient + i), own);
    for (int k = 0; k < states; ++k) hn::StoreU(own[k], d, state[k] + i);
    hn::StoreU(p, d, parameter + i);
  });
}

template <class T>
void sgd(const ParameterSpan& span, const SgdNumbers<T>& n, int64_t begin, int64_t end) {
  if (n.has_momentum)
    step_elements<1, T>(span, n, begin, end);
  else
    step_elements<0, T>(span, n, begin, end);
}
void sgd_f32(const ParameterSpan& span, const SgdNumbers<float>& n, int64_t begin, int64_t end) {
  sgd(span, n, begin, end);
}
void sgd_f64(const ParameterSpan& span, const SgdNumbers<double>& n, int64_t begin, int64_t end) {
  sgd(span, n, begin, end);
}

void adagrad_f32(const ParameterSpan& span, const AdagradNumbers<float>& n, int64_t begin, int64_t end) {
  step_elements<1, float>(span, n, begin, end);
}
void adagrad_f64(const ParameterSpan& span, const AdagradNumbers<double>& n, int64_t begin, int64_t end) {
  step_elements<1, double>(span, n, begin, end);
}

template <class T>
void adam(const ParameterSpan& span, const AdamNumbers<T>& n, int64_t begin, int64_t end) {
  if (span.states[2])
    step_elements<3, T>(span, n, begin, end);
  else
    step_elements<2, T>(span, n, begin, end);
}
void adam_f32(const ParameterSpan& span, const AdamNumbers<float>& n, int64_t begin, int64_t end) {
  adam(span, n, begin, end);
}
void adam_f64(const ParameterSpan& span, const AdamNumbers<double>& n, int64_t begin, int64_t end) {
  adam(span, n, begin, end);
}

/// `count` elements as doubles.
template <class D>
HWY_INLINE hn::Vec<D> load_double(D d, const double* values) {
  return hn::LoadU(d, values);
}
template <class D>
HWY_INLINE hn::Vec<D> load_double(D d, const float* values) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), values));
}

/// The joined parts of elements begin to end - 1, four vectors of doubles at a time.
template <NormKind kind, class T>
double norm_of(const T* values, int64_t begin, int64_t end, double order) {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto join = [](auto sum, auto part) HWY_ATTR {
    if constexpr (kind == NormKind::largest)
      return hn::IfThenElse(hn::Or(hn::Lt(sum, part), hn::IsNaN(part)), part, sum);
    else
      return sum + part;
  };
  auto part = [&](int64_t i) HWY_ATTR {
    const auto value = load_double(d, values + i);
    if constexpr (kind == NormKind::two)
      return value * value;
    else
      return hn::Abs(value);
  };
  double joined = 0;
  int64_t i = begin;
  if constexpr (kind != NormKind::any) {
    auto sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      sum0 = join(sum0, part(i));
      sum1 = join(sum1, part(i + lanes));
      sum2 = join(sum2, part(i + 2 * lanes));
      sum3 = join(sum3, part(i + 3 * lanes));
    }
    HWY_ALIGN double of_lane[HWY_MAX_BYTES / sizeof(double)];
    hn::Store(join(join(sum0, sum1), join(sum2, sum3)), d, of_lane);
    for (int64_t lane = 0; lane < lanes; ++lane) joined = norm_join<kind>(joined, of_lane[lane]);
  }
  for (; i < end; ++i) joined = norm_join<kind>(joined, norm_part<kind>(values[i], order));
  return joined;
}

template <class T>
double norm_of(const T* values, int64_t begin, int64_t end, double order) {
  switch (norm_kind(order)) {
    case NormKind::one:
      return norm_of<NormKind::one>(values, begin, end, order);
    case NormKind::two:
      return norm_of<NormKind::two>(values, begin, end, order);
    case NormKind::largest:
      return norm_of<NormKind::largest>(values, begin, end, order);
    case NormKind::any:
      break;
  }
  return norm_of<NormKind::any>(values, begin, end, order);
}
double norm_f32(const float* values, int64_t begin, int64_t end, double order) {
  return norm_of(values, begin, end, order);
}
double norm_f64(const double* values, int64_t begin, int64_t end, double order) {
  return norm_of(values, begin, end, order);
}

template <class T>
void scale(T* values, T factor, int64_t begin, int64_t end) {
  for_each_vector<T>(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::LoadU(d, values + i) * hn::Set(d, factor), d, values + i);
  });
}
void scale_f32(float* values, float factor, int64_t begin, int64_t end) { scale(values, factor, begin, end); }
void scale_f64(double* values, double factor, int64_t begin, int64_t end) { scale(values, factor, begin, end); }

/// NaN stays NaN: it is neither above nor below.
template <class T>
void clamp(T* values, T limit, int64_t begin, int64_t end) {
  for_each_vector<T>(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto value = hn::LoadU(d, values + i), high = hn::Set(d, limit), low = hn::Set(d, -limit);
    const auto capped = hn::IfThenElse(hn::Lt(high, value), high, value);
    hn::StoreU(hn::IfThenElse(hn::Lt(capped, low), low, capped), d, values + i);
  });
}
void clamp_f32(float* values, float limit, int64_t begin, int64_t end) { clamp(values, limit, begin, end); }
void clamp_f64(double* values, double limit, int64_t begin, int64_t end) { clamp(values, limit, begin, end); }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(sgd_f32);
HWY_EXPORT(sgd_f64);
HWY_EXPORT(adagrad_f32);
HWY_EXPORT(adagrad_f64);
HWY_EXPORT(adam_f32);
HWY_EXPORT(adam_f64);
HWY_EXPORT(norm_f32);
HWY_EXPORT(norm_f64);
HWY_EXPORT(scale_f32);
HWY_EXPORT(scale_f64);
HWY_EXPORT(clamp_f32);
HWY_EXPORT(clamp_f64);

namespace {

/// All parameters' elements in one row, each parameter's first on a multiple of 64: what pieces of one size are cut
/// from.
class Row {
 public:
  explicit Row(const ParameterSpans& spans) : spans_(spans) {
    for (const ParameterSpan& span : spans) {
      starts_.push_back(length_);
      length_ += (span.count + 63) / 64 * 64;
    }
  }
  int64_t pieces() const { return (length_ + grain - 1) / grain; }

  /// Calls `body(piece, parameter, begin, end)` for each parameter's part of each piece.
  template <class Body>
  void for_each_part(Body&& body) const {
    parallel_for(length_, grain, [&](int64_t begin, int64_t end) {
      auto i = static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin() - 1);
      for (; i < spans_.size() && starts_[i] < end; ++i) {
        const int64_t from = std::max<int64_t>(begin - starts_[i], 0), to = std::min(end - starts_[i], spans_[i].count);
        if (from < to) body(begin / grain, i, from, to);
      }
    });
  }

 private:
  static constexpr int64_t grain = 16384;  // four arrays of it stay in a core's second-level cache
  const ParameterSpans& spans_;
  std::vector<int64_t> starts_;
  int64_t length_ = 0;
};

template <class Numbers, class Options, class Update>
void update_parameters(const ParameterSpans& spans, const Tensor& learning_rate, const Options& options,
                       Update update) {
  const double rate = *learning_rate.data<double>();
  std::vector<Numbers> numbers;
  for (const ParameterSpan& span : spans) numbers.emplace_back(options, rate, *span.step += 1);
  Row(spans).for_each_part([&](int64_t, size_t i, int64_t begin, int64_t end) {
    const ParameterSpan& span = spans[i];
    update(span, numbers[i], begin, end);
    if (!span.rounded) return;
    const auto* written = static_cast<const float*>(span.parameter) + begin;
    rounded_floats(written, span.rounded + begin, static_cast<size_t>(end - begin));
  });
}

/// Counts every parameter's step and works out its numbers, then runs the update of `dtype` over all of them.
template <template <class> class Numbers, class Options, class Single, class Double>
void run_step(const ParameterSpans& spans, DType dtype, const Tensor& learning_rate, const Options& options,
              Single single, Double in_double) {
  if (dtype == f32)
    update_parameters<Numbers<float>>(spans, learning_rate, options, single);
  else
    update_parameters<Numbers<double>>(spans, learning_rate, options, in_double);
}

}  // namespace

void sgd_step(const ParameterSpans& spans, DType dtype, const Tensor& rate, const SgdOptions& options) {
  run_step<SgdNumbers>(spans, dtype, rate, options, HWY_DYNAMIC_DISPATCH(sgd_f32), HWY_DYNAMIC_DISPATCH(sgd_f64));
}

void adagrad_step(const ParameterSpans& spans, DType dtype, const Tensor& rate, const AdagradOptions& options) {
  run_step<AdagradNumbers>(spans, dtype, rate, options, HWY_DYNAMIC_DISPATCH(adagrad_f32),
                           HWY_DYNAMIC_DISPATCH(adagrad_f64));
}

void adam_step(const ParameterSpans& spans, DType dtype, const Tensor& rate, const AdamOptions& options) {
  run_step<AdamNumbers>(spans, dtype, rate, options, HWY_DYNAMIC_DISPATCH(adam_f32), HWY_DYNAMIC_DISPATCH(adam_f64));
}

void gradient_norm(const ParameterSpans& spans, double order, const Tensor& norm) {
  const Row row(spans);
  const bool largest = norm_kind(order) == NormKind::largest;
  const auto join = largest ? norm_join<NormKind::largest> : norm_join<NormKind::two>;
  const Tensor workspace = Tensor::empty({row.pieces()}, {f64, cpu_device});
  double* of_piece = workspace.data<double>();
  std::fill_n(of_piece, row.pieces(), 0.0);
  auto run = [&](auto* typed, auto norm_of) {
    row.for_each_part([&](int64_t piece, size_t i, int64_t begin, int64_t end) {
      of_piece[piece] =
          join(of_piece[piece], norm_of(static_cast<decltype(typed)>(spans[i].parameter), begin, end, order));
    });
  };
  if (norm.dtype() == f32)
    run(static_cast<const float*>(nullptr), HWY_DYNAMIC_DISPATCH(norm_f32));
  else
    run(static_cast<const double*>(nullptr), HWY_DYNAMIC_DISPATCH(norm_f64));
  double joined = 0;
  for (int64_t piece = 0; piece < row.pieces(); ++piece) joined = join(joined, of_piece[piece]);
  if (norm.dtype() == f32)
    *norm.data<float>() = static_cast<float>(norm_root(joined, order));
  else
    *norm.data<double>() = norm_root(joined, order);
}

void scale_to_norm(const ParameterSpans& spans, DType dtype, const Tensor& norm, double max_norm) {
  const double factor = clip_factor(dtype == f32 ? *norm.data<float>() : *norm.data<double>(), max_norm);
  if (factor == 1) return;
  auto run = [&](auto typed, auto scale) {
    Row(spans).for_each_part([&](int64_t, size_t i, int64_t begin, int64_t end) {
      scale(static_cast<decltype(typed)*>(spans[i].parameter), static_cast<decltype(typed)>(factor), begin, end);
    });
  };
  if (dtype == f32)
    run(float{}, HWY_DYNAMIC_DISPATCH(scale_f32));
  else
    run(double{}, HWY_DYNAMIC_DISPATCH(scale_f64));
}

void clamp_gradients(const ParameterSpans& spans, DType dtype, double limit) {
  auto run = [&](auto typed, auto clamp) {
    Row(spans).for_each_part([&](int64_t, size_t i, int64_t begin, int64_t end) {
      clamp(static_cast<decltype(typed)*>(spans[i].parameter), static_cast<decltype(typed)>(limit), begin, end);
    });
  };
  if (dtype == f32)
    run(float{}, HWY_DYNAMIC_DISPATCH(clamp_f32));
  else
    run(double{}, HWY_DYNAMIC_DISPATCH(clamp_f64));
}

}  // namespace percale::cpu
#endif
