// What the twins of batch_norm implement. A matrix is [rows, channels], row-major, with one row and channel at least;
// all tensors are f32 or all f64.
#pragma once

#include "../../core/tensor.h"
#include "../common/row_statistics.h"

namespace percale {

/// A piece's moments of a channel: the sums of x - shift and of its square over the piece.
template <class T>
struct PieceMoments {
  T shift, sum, squares;
};

/// The moments of a channel over all pieces joined, in order and in f64.
struct JoinedMoments {
  double count = 0, mean = 0, squares = 0;  ///< squares: of x - mean

  template <class T>
  PERCALE_HOST_DEVICE void join(const PieceMoments<T>& piece, double rows) {
    const double missing = static_cast<double>(piece.sum) / rows;
    const double own_mean = static_cast<double>(piece.shift) + missing;
    const double own_squares = static_cast<double>(piece.squares) - rows * missing * missing;
    const double apart = own_mean - mean, all = count + rows;
    squares += (own_squares < 0 ? 0 : own_squares) + apart * apart * count * rows / all;
    mean += apart * rows / all;
    count = all;
  }
  PERCALE_HOST_DEVICE double variance() const { return squares / count; }
  PERCALE_HOST_DEVICE double unbiased_variance() const { return squares / (count - 1); }
};

template <class T>
PERCALE_HOST_DEVICE RowStatistics<T> channel_statistics(double mean, double variance, double eps) {
  const auto shift = static_cast<T>(mean);
  const double scale = 1 / std::sqrt(variance + eps);
  return {shift, static_cast<T>(scale), static_cast<T>((static_cast<double>(shift) - mean) * scale)};
}

/// The running value after one more batch, whose own is `seen`.
template <class T>
PERCALE_HOST_DEVICE T followed(T running, double seen, double momentum) {
  return static_cast<T>((1 - momentum) * static_cast<double>(running) + momentum * seen);
}

/// The gradient of an element x: upstream * `upstream` + (x - shift) * `factor` + `rest`. From the sums over the
/// channel of upstream * y (y is x normalised) and of upstream: scale * weight * (upstream - mean(upstream) - y *
/// mean(upstream * y)), where the statistics are x's own.
template <class T>
struct ChannelSlopes {
  T upstream, factor, rest;
};
template <class T>
PERCALE_HOST_DEVICE ChannelSlopes<T> channel_slopes(const RowStatistics<T>& by, T weight, T of_weight, T of_bias,
                                                    int64_t rows, bool training) {
  const T slope = by.scale * weight, count = static_cast<T>(rows);
  if (!training) return {slope, T(0), T(0)};
  const T along = of_weight / count, mean = of_bias / count;
  return {slope, -slope * along * by.scale, -slope * (mean + by.offset * along)};
}

/// Where the running mean and variance go, or nowhere.
struct RunningStatistics {
  Tensor mean, variance;
  double momentum;
};

struct BatchNorm {
  Tensor input, weight, bias;  ///< weight and bias [channels], or undefined
  Tensor statistics;           ///< [channels, 3]: a RowStatistics each
  Tensor result;
};

struct BatchNormGradient {
  Tensor upstream, input, weight, statistics;
  Tensor input_gradient;                  ///< or undefined: not wanted
  Tensor weight_gradient, bias_gradient;  ///< [channels], always
  bool training;                          ///< whether the statistics came from the input
};

/// Calls `body.operator()<T>()` with the type of what `like` holds.
template <class Body>
void with_type(const Tensor& like, Body body) {
  if (like.dtype() == f64)
    body.template operator()<double>();
  else
    body.template operator()<float>();
}

namespace cpu {
/// `statistics` of the matrix `input`, which the running ones follow.
void batch_statistics(const Tensor& input, double eps, const RunningStatistics& running, const Tensor& statistics);
/// `statistics` by the running ones.
void running_statistics(const RunningStatistics& running, double eps, const Tensor& statistics);
void batch_norm(const BatchNorm& operands);
void batch_norm_gradient(const BatchNormGradient& operands);
}  // namespace cpu

namespace cuda {
void batch_statistics(const Tensor& input, double eps, const RunningStatistics& running, const Tensor& statistics);
void running_statistics(const RunningStatistics& running, double eps, const Tensor& statistics);
void batch_norm(const BatchNorm& operands);
void batch_norm_gradient(const BatchNormGradient& operands);
}  // namespace cuda

}  // namespace percale
