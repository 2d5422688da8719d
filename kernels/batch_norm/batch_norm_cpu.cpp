#include <algorithm>

#include "../common/row_pieces.h"
#include "../fill/fill.h"
#include "batch_norm_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/batch_norm/batch_norm_cpu.cpp"
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

#include "../common/normalise-inl.h"

#ifndef PERCALE_BATCH_NORM_FUNCTIONS
#define PERCALE_BATCH_NORM_FUNCTIONS
namespace percale::cpu {

/// What an element of each channel becomes: (x - shift) * factor + rest, in the gradient also + upstream * slope.
template <class T>
struct ChannelLines {
  const T *shift, *factor, *rest, *slope;
};

/// The loops over a piece of a matrix [rows, channels], for one instruction set.
template <class T>
struct BatchNormFunctions {
  void (*moments)(const T* x, int64_t rows, int64_t channels, PieceMoments<double>* moments);
  void (*normalise)(const T* x, int64_t rows, int64_t channels, const ChannelLines<T>& lines, T* y);
  /// The sums of upstream * normalised x and of upstream, [2, channels].
  void (*sums)(const T* upstream, const T* x, const RowStatistics<T>* by, int64_t rows, int64_t channels, double* sums);
  void (*gradient)(const T* upstream, const T* x, int64_t rows, int64_t channels, const ChannelLines<T>& lines,
                   T* result);
};

}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Rows whose sums go side by side, to keep the adders busy; joined as (0 + 1) + (2 + 3) on every instruction set.
/// After `rows_in_lane` rows sums go on in f64.
constexpr int chains = 4;
constexpr int64_t rows_in_lane = 256;

/// `count` sums over the rows of one vector's channels: `add(row, totals)` adds what a row gives to each. To
/// `results` [count][lanes].
template <int count, class D, class Add>
HWY_INLINE void sum_rows(D t, int64_t rows, double (*results)[64 / sizeof(hn::TFromD<D>)], Add add) {
  using T = hn::TFromD<D>;
  for (int k = 0; k < count; ++k) std::fill_n(results[k], hn::Lanes(t), 0.0);
  for (int64_t begin = 0; begin < rows; begin += rows_in_lane) {
    const int64_t end = std::min(rows, begin + rows_in_lane);
    hn::Vec<D> totals[chains][count];
    for (auto& of_chain : totals)
      for (auto& total : of_chain) total = hn::Zero(t);
    int64_t row = begin;
    for (; row + chains <= end; row += chains)
      for (int chain = 0; chain < chains; ++chain) add(row + chain, totals[chain]);
    for (int chain = 0; row < end; ++row, ++chain) add(row, totals[chain]);
    for (int k = 0; k < count; ++k) {
      HWY_ALIGN T each[64 / sizeof(T)];
      hn::Store(hn::Add(hn::Add(totals[0][k], totals[1][k]), hn::Add(totals[2][k], totals[3][k])), t, each);
      for (size_t lane = 0; lane < hn::Lanes(t); ++lane) results[k][lane] += static_cast<double>(each[lane]);
    }
  }
}

template <class T>
void moments_of(const T* x, int64_t rows, int64_t channels, PieceMoments<double>* moments) {
  simd::for_each_column<T>(channels, [&](auto t, int64_t i) HWY_ATTR {
    using V = hn::Vec<decltype(t)>;
    constexpr size_t most = 64 / sizeof(T);
    double sum[1][most], sums[2][most];
    sum_rows<1>(t, rows, sum, [&](int64_t row, V* totals) HWY_ATTR {
      totals[0] = hn::Add(totals[0], hn::LoadU(t, x + row * channels + i));
    });
    HWY_ALIGN T each[most];
    for (size_t k = 0; k < hn::Lanes(t); ++k) each[k] = static_cast<T>(sum[0][k] / static_cast<double>(rows));
    const V shift = hn::Load(t, each);
    sum_rows<2>(t, rows, sums, [&](int64_t row, V* totals) HWY_ATTR {
      const V apart = hn::Sub(hn::LoadU(t, x + row * channels + i), shift);
      totals[0] = hn::Add(totals[0], apart);
      totals[1] = hn::MulAdd(apart, apart, totals[1]);
    });
    for (size_t k = 0; k < hn::Lanes(t); ++k)
      moments[i + static_cast<int64_t>(k)] = {static_cast<double>(each[k]), sums[0][k], sums[1][k]};
  });
}

template <class T>
void normalise(const T* x, int64_t rows, int64_t channels, const ChannelLines<T>& lines, T* y) {
  for (int64_t row = 0; row < rows; ++row)
    simd::for_each_column<T>(channels, [&](auto t, int64_t i) HWY_ATTR {
      const auto apart = hn::Sub(hn::LoadU(t, x + row * channels + i), hn::LoadU(t, lines.shift + i));
      hn::StoreU(hn::MulAdd(apart, hn::LoadU(t, lines.factor + i), hn::LoadU(t, lines.rest + i)), t,
                 y + row * channels + i);
    });
}

template <class T>
void gradient_sums(const T* upstream, const T* x, const RowStatistics<T>* by, int64_t rows, int64_t channels,
                   double* results) {
  simd::for_each_column<T>(channels, [&](auto t, int64_t i) HWY_ATTR {
    using V = hn::Vec<decltype(t)>;
    HWY_ALIGN T each[3][64 / sizeof(T)];
    for (size_t k = 0; k < hn::Lanes(t); ++k) {
      const RowStatistics<T>& own = by[i + static_cast<int64_t>(k)];
      each[0][k] = own.shift, each[1][k] = own.scale, each[2][k] = own.offset;
    }
    const V shift = hn::Load(t, each[0]), scale = hn::Load(t, each[1]), offset = hn::Load(t, each[2]);
    double sums[2][64 / sizeof(T)];
    sum_rows<2>(t, rows, sums, [&](int64_t row, V* totals) HWY_ATTR {
      const V from = hn::LoadU(t, upstream + row * channels + i);
      const V y = hn::MulAdd(hn::Sub(hn::LoadU(t, x + row * channels + i), shift), scale, offset);
      totals[0] = hn::MulAdd(from, y, totals[0]);
      totals[1] = hn::Add(totals[1], from);
    });
    for (size_t k = 0; k < hn::Lanes(t); ++k) {
      results[i + static_cast<int64_t>(k)] = sums[0][k];
      results[channels + i + static_cast<int64_t>(k)] = sums[1][k];
    }
  });
}

template <class T>
void input_gradient(const T* upstream, const T* x, int64_t rows, int64_t channels, const ChannelLines<T>& lines,
                    T* result) {
  for (int64_t row = 0; row < rows; ++row)
    simd::for_each_column<T>(channels, [&](auto t, int64_t i) HWY_ATTR {
      const auto apart = hn::Sub(hn::LoadU(t, x + row * channels + i), hn::LoadU(t, lines.shift + i));
      const auto own = hn::MulAdd(apart, hn::LoadU(t, lines.factor + i), hn::LoadU(t, lines.rest + i));
      const auto from = hn::LoadU(t, upstream + row * channels + i);
      hn::StoreU(hn::MulAdd(from, hn::LoadU(t, lines.slope + i), own), t, result + row * channels + i);
    });
}

template <class T>
BatchNormFunctions<T> batch_norm_functions() {
  return {moments_of<T>, normalise<T>, gradient_sums<T>, input_gradient<T>};
}
BatchNormFunctions<float> batch_norm_functions_f32() { return batch_norm_functions<float>(); }
BatchNormFunctions<double> batch_norm_functions_f64() { return batch_norm_functions<double>(); }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(batch_norm_functions_f32);
HWY_EXPORT(batch_norm_functions_f64);

namespace {

template <class T>
BatchNormFunctions<T> functions_here() {
  if constexpr (std::is_same_v<T, double>)
    return HWY_DYNAMIC_DISPATCH(batch_norm_functions_f64)();
  else
    return HWY_DYNAMIC_DISPATCH(batch_norm_functions_f32)();
}

/// Rows a piece, by the matrix's extents alone: few enough to be read twice from a core's own cache.
int64_t rows_of_cached_piece(int64_t rows, int64_t channels) {
  constexpr int64_t elements = 65536;
  return std::min(rows_of_piece(rows), std::max<int64_t>(elements / channels, 32));
}

/// Calls `body(first_row, rows)` for pieces of work whose size does not matter to the result.
template <class Body>
void for_each_piece(int64_t rows, int64_t channels, Body body) {
  parallel_for(rows, std::max<int64_t>(16384 / channels, 1),
               [&](int64_t begin, int64_t end) { body(begin, end - begin); });
}

/// Arrays of a number a channel, one behind the other.
template <class T>
class ChannelArrays {
 public:
  ChannelArrays(int64_t count, int64_t channels)
      : memory_(Tensor::empty({count, channels}, {dtype_of<T>, cpu_device})), channels_(channels) {}
  T* operator[](int64_t i) const { return memory_.data<T>() + i * channels_; }

 private:
  Tensor memory_;
  int64_t channels_;
};

}  // namespace

void batch_statistics(const Tensor& input, double eps, const RunningStatistics& running, const Tensor& statistics) {
  with_type(input, [&]<class T>() {
    const int64_t rows = input.size(0), channels = input.size(1);
    const int64_t piece = rows_of_cached_piece(rows, channels), pieces = (rows + piece - 1) / piece;
    const auto moments_of = functions_here<T>().moments;
    const Tensor memory = Tensor::empty({pieces, channels, 3}, {f64, cpu_device});
    auto* moments = reinterpret_cast<PieceMoments<double>*>(memory.data<double>());
    parallel_for(rows, piece, [&](int64_t begin, int64_t end) {
      moments_of(input.data<T>() + begin * channels, end - begin, channels, moments + begin / piece * channels);
    });
    RowStatistics<T>* to = statistics_in<T>(statistics);
    parallel_for(channels, 256, [&](int64_t first, int64_t last) {
      for (int64_t channel = first; channel < last; ++channel) {
        JoinedMoments joined;
        for (int64_t i = 0; i < pieces; ++i)
          joined.join(moments[i * channels + channel], static_cast<double>(std::min(piece, rows - i * piece)));
        to[channel] = channel_statistics<T>(joined.mean, joined.variance(), eps);
        if (!running.mean.defined()) continue;
        T &mean = running.mean.data<T>()[channel], &variance = running.variance.data<T>()[channel];
        mean = followed(mean, joined.mean, running.momentum);
        variance = followed(variance, joined.unbiased_variance(), running.momentum);
      }
    });
  });
}

void running_statistics(const RunningStatistics& running, double eps, const Tensor& statistics) {
  with_type(statistics, [&]<class T>() {
    for (int64_t channel = 0; channel < statistics.size(0); ++channel)
      statistics_in<T>(statistics)[channel] =
          channel_statistics<T>(static_cast<double>(running.mean.data<T>()[channel]),
                                static_cast<double>(running.variance.data<T>()[channel]), eps);
  });
}

void batch_norm(const BatchNorm& operands) {
  with_type(operands.input, [&]<class T>() {
    const int64_t channels = operands.input.size(1);
    const RowStatistics<T>* by = statistics_in<T>(operands.statistics);
    const ChannelArrays<T> arrays(3, channels);
    for (int64_t i = 0; i < channels; ++i) {
      const T weight = operands.weight.defined() ? operands.weight.data<T>()[i] : T(1);
      const T bias = operands.bias.defined() ? operands.bias.data<T>()[i] : T(0);
      arrays[0][i] = by[i].shift, arrays[1][i] = by[i].scale * weight, arrays[2][i] = by[i].offset * weight + bias;
    }
    const auto normalise = functions_here<T>().normalise;
    for_each_piece(operands.input.size(0), channels, [&](int64_t row, int64_t count) {
      const int64_t at = row * channels;
      normalise(operands.input.data<T>() + at, count, channels, {arrays[0], arrays[1], arrays[2], nullptr},
                operands.result.data<T>() + at);
    });
  });
}

void batch_norm_gradient(const BatchNormGradient& operands) {
  with_type(operands.input, [&]<class T>() {
    const int64_t rows = operands.input.size(0), channels = operands.input.size(1);
    const int64_t piece = rows_of_piece(rows), pieces = (rows + piece - 1) / piece;
    const BatchNormFunctions<T> functions = functions_here<T>();
    const T *upstream = operands.upstream.data<T>(), *x = operands.input.data<T>();
    const RowStatistics<T>* by = statistics_in<T>(operands.statistics);
    const ChannelArrays<double> partial(2 * pieces, channels);
    parallel_for(rows, piece, [&](int64_t begin, int64_t end) {
      const int64_t at = begin * channels;
      functions.sums(upstream + at, x + at, by, end - begin, channels, partial[begin / piece * 2]);
    });
    sum_pieces(partial[0], pieces, 2 * channels, channels, operands.weight_gradient);
    sum_pieces(partial[1], pieces, 2 * channels, channels, operands.bias_gradient);
    if (!operands.input_gradient.defined()) return;
    const ChannelArrays<T> arrays(4, channels);
    for (int64_t i = 0; i < channels; ++i) {
      const ChannelSlopes<T> slopes = channel_slopes(
          by[i], operands.weight.defined() ? operands.weight.data<T>()[i] : T(1), operands.weight_gradient.data<T>()[i],
          operands.bias_gradient.data<T>()[i], rows, operands.training);
      arrays[0][i] = by[i].shift, arrays[1][i] = slopes.factor, arrays[2][i] = slopes.rest,
      arrays[3][i] = slopes.upstream;
    }
    for_each_piece(rows, channels, [&](int64_t row, int64_t count) {
      const int64_t at = row * channels;
      functions.gradient(upstream + at, x + at, count, channels, {arrays[0], arrays[1], arrays[2], arrays[3]},
                         operands.input_gradient.data<T>() + at);
    });
  });
}

}  // namespace percale::cpu
#endif
