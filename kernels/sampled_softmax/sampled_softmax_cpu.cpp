#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "../../core/cpu/threads.h"
#include "../common/index_range.h"
#include "../common/random_words.h"
#include "../word2vec/word2vec_twins.h"
#include "sampled_softmax_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/sampled_softmax/sampled_softmax_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "../common/vector_math-inl.h"
#include "../common/vector_reduce-inl.h"

#ifndef PERCALE_SAMPLED_SOFTMAX_ROW
#define PERCALE_SAMPLED_SOFTMAX_ROW
namespace percale::cpu {

/// One row of scores. `noise` are the noise classes' bits as if they were floats: so they pass where scores pass.
template <class T>
struct ScoreRow {
  const T* scores;
  const T* noise;
  int64_t samples;
  int32_t target;
  T own;
};

/// {the largest score, log(sum of exp(score - largest))} of what counts.
template <class T>
struct RowStatistics {
  T largest, logarithm;
};

}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The score, or minus infinity where the noise is the row's own class.
template <class D, class V>
HWY_INLINE V counted(D t, V score, V noise, int32_t target) {
  const hn::RebindToSigned<D> i;
  const auto hit = hn::RebindMask(t, hn::Eq(hn::BitCast(i, noise), hn::Set(i, target)));
  return hn::IfThenElse(hit, hn::Set(t, -std::numeric_limits<float>::infinity()), score);
}

RowStatistics<float> sum_row(const ScoreRow<float>& row) {
  const float* in[] = {row.scores, row.noise};
  const int32_t target = row.target;
  const double of_noise = simd::map_reduce<simd::Largest, 2>(
      in, nullptr, row.samples, [=](auto t, auto a, auto n) HWY_ATTR { return counted(t, a, n, target); });
  const float largest = simd::Largest::of(row.own, static_cast<float>(of_noise));
  const double sum = simd::map_reduce<simd::Sum, 2>(in, nullptr, row.samples, [=](auto t, auto a, auto n) HWY_ATTR {
    return simd::exp(t, hn::Sub(counted(t, a, n, target), hn::Set(t, largest)));
  });
  return {largest, static_cast<float>(std::log(sum + std::exp(static_cast<double>(row.own) - largest)))};
}

void gradient_row(const ScoreRow<float>& row, const RowStatistics<float>& statistics, float upstream, float* result) {
  const float* in[] = {row.scores, row.noise};
  const float largest = statistics.largest, logarithm = statistics.logarithm;
  const int32_t target = row.target;
  for_each_vector<2>(in, result, static_cast<size_t>(row.samples), [=](auto t, auto a, auto n, auto, auto) HWY_ATTR {
    const auto below = hn::Sub(hn::Sub(counted(t, a, n, target), hn::Set(t, largest)), hn::Set(t, logarithm));
    return hn::Mul(simd::exp(t, below), hn::Set(t, upstream));
  });
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
namespace {

HWY_EXPORT(sum_row);
HWY_EXPORT(gradient_row);

RowStatistics<double> sum_doubles(const ScoreRow<double>& row) {
  double largest = row.own, sum = 0;
  const auto counts = [&](int64_t n) {
    return static_cast<int32_t>(std::bit_cast<int64_t>(row.noise[n])) != row.target;
  };
  for (int64_t n = 0; n < row.samples; ++n)
    if (counts(n)) largest = std::max(largest, row.scores[n]);
  for (int64_t n = 0; n < row.samples; ++n)
    if (counts(n)) sum += std::exp(row.scores[n] - largest);
  return {largest, std::log(sum + std::exp(row.own - largest))};
}

void gradient_doubles(const ScoreRow<double>& row, const RowStatistics<double>& statistics, double upstream,
                      double* result) {
  for (int64_t n = 0; n < row.samples; ++n) {
    const bool hit = static_cast<int32_t>(std::bit_cast<int64_t>(row.noise[n])) == row.target;
    result[n] = hit ? 0 : std::exp(row.scores[n] - statistics.largest - statistics.logarithm) * upstream;
  }
}

/// body(row, number) for every row, on all threads.
template <class T, class Body>
void for_each_row(const SampledScores& in, Body body) {
  const int64_t rows = in.own.size(0), samples = in.scores.size(1), *classes = in.classes.data<int64_t>();
  const Tensor bits = Tensor::empty({samples}, in.own.options());
  T* noise = bits.data<T>();
  for (int64_t n = 0; n < samples; ++n) {
    if constexpr (std::is_same_v<T, float>)
      noise[n] = std::bit_cast<float>(static_cast<int32_t>(classes[rows + n]));
    else
      noise[n] = std::bit_cast<double>(classes[rows + n]);
  }
  const int64_t grain = std::max<int64_t>(1, 16'384 / samples);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      body(ScoreRow<T>{in.scores.data<T>() + i * samples, noise, samples, static_cast<int32_t>(classes[i]),
                       in.own.data<T>()[i]},
           i);
  });
}

template <class T, class SumRow>
void loss_as(const SampledScores& in, const SampledLoss& out, SumRow sum) {
  T *losses = out.losses.data<T>(), *largest = out.statistics.data<T>(), *logarithm = largest + in.own.size(0);
  for_each_row<T>(in, [&](const ScoreRow<T>& row, int64_t i) {
    const RowStatistics<T> found = sum(row);
    largest[i] = found.largest;
    logarithm[i] = found.logarithm;
    losses[i] = found.largest - row.own + found.logarithm;
  });
}

template <class T, class GradientRow>
void gradient_as(const SampledScores& in, const SampledGradient& out, GradientRow gradient) {
  const T *upstream = out.upstream.data<T>(), *largest = out.statistics.data<T>(),
          *logarithm = largest + in.own.size(0);
  for_each_row<T>(in, [&](const ScoreRow<T>& row, int64_t i) {
    gradient(row, RowStatistics<T>{largest[i], logarithm[i]}, upstream[i], out.scores.data<T>() + i * row.samples);
    out.own.data<T>()[i] = (std::exp(row.own - largest[i] - logarithm[i]) - 1) * upstream[i];
  });
}

template <class T>
void correct(const ClassDraw& draw) {
  const double log_samples = std::log(static_cast<double>(draw.samples()));
  const float* log_share = draw.sampler.log_share.data<float>();
  const int64_t* noise = draw.classes.data<int64_t>() + draw.rows();
  for (int64_t n = 0; n < draw.samples(); ++n)
    draw.correction.data<T>()[n] = static_cast<T>(-(log_samples + static_cast<double>(log_share[noise[n]])));
}

}  // namespace

void draw_classes(const ClassDraw& draw) {
  const int64_t rows = draw.rows(), samples = draw.samples(), bound = draw.sampler.accept.numel();
  int64_t* classes = draw.classes.data<int64_t>();
  const int64_t* target = draw.target.data<int64_t>();
  check_range("sampled_softmax", target_message, target, draw.target.shape(), bound);
  std::copy_n(target, rows, classes);
  const int64_t blocks = (samples + 1) / 2;
  const Tensor bits = Tensor::empty({4 * blocks}, {i32, cpu_device});
  auto* words = reinterpret_cast<uint32_t*>(bits.data<int32_t>());
  random_words(draw.key, 0, blocks, words);
  const float* accept = draw.sampler.accept.data<float>();
  const int32_t* alias = draw.sampler.alias.data<int32_t>();
  for (int64_t n = 0; n < samples; ++n, words += 2)
    classes[rows + n] = noise_word(words[0], words[1], accept, alias, bound);
  draw.correction.dtype() == f64 ? correct<double>(draw) : correct<float>(draw);
}

void sampled_loss(const SampledScores& in, const SampledLoss& out) {
  if (in.own.dtype() == f64)
    loss_as<double>(in, out, sum_doubles);
  else
    loss_as<float>(in, out, HWY_DYNAMIC_DISPATCH(sum_row));
}

void sampled_gradient(const SampledScores& in, const SampledGradient& out) {
  if (in.own.dtype() == f64)
    gradient_as<double>(in, out, gradient_doubles);
  else
    gradient_as<float>(in, out, HWY_DYNAMIC_DISPATCH(gradient_row));
}

}  // namespace percale::cpu
#endif
