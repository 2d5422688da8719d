// Batch normalisation on CUDA: a block takes 32 channels and a piece of the rows; pieces are joined channel by channel.
#include <algorithm>

#include "../common/device.h"
#include "../common/device_row.h"
#include "batch_norm_twins.h"

namespace percale::cuda {
namespace {

constexpr int column_threads = warp_size, row_threads = 8;

template <class T>
struct Matrix {
  const T* data;
  index_t rows, channels, piece;
};

/// This thread's channel and its rows of the block's piece.
template <class T>
struct Share {
  int lane = static_cast<int>(threadIdx.x), row_lane = static_cast<int>(threadIdx.y);
  index_t channel = static_cast<index_t>(blockIdx.x) * column_threads + lane;
  index_t begin, end;
  bool inside;

  __device__ explicit Share(const Matrix<T>& x)
      : begin(static_cast<index_t>(blockIdx.y) * x.piece),
        end(begin + x.piece < x.rows ? begin + x.piece : x.rows),
        inside(channel < x.channels) {}

  template <class Body>
  __device__ void for_each_row(Body body) const {
    if (!inside) return;
#pragma unroll 4
    for (index_t row = begin + row_lane; row < end; row += row_threads) body(row);
  }
};

template <class T>
struct Pair {
  T first, second;
};

/// A sum over the block's threads of one channel, which all of them get.
template <class T>
struct ColumnScratch {
  Pair<T> of[row_threads][column_threads];

  __device__ Pair<T> sum(int row_lane, int lane, Pair<T> own) {
    of[row_lane][lane] = own;
    __syncthreads();
    Pair<T> total = of[0][lane];
    for (int k = 1; k < row_threads; ++k) {
      total.first += of[k][lane].first;
      total.second += of[k][lane].second;
    }
    __syncthreads();
    return total;
  }
};

template <class T>
__global__ void moments_kernel(Matrix<T> x, PieceMoments<T>* moments) {
  auto& scratch = dynamic_shared<ColumnScratch<T>>();
  const Share<T> share(x);
  Pair<T> own{};
  share.for_each_row([&](index_t row) { own.first += x.data[row * x.channels + share.channel]; });
  const T shift = scratch.sum(share.row_lane, share.lane, own).first / static_cast<T>(share.end - share.begin);
  own = {};
  share.for_each_row([&](index_t row) {
    const T apart = x.data[row * x.channels + share.channel] - shift;
    own.first += apart;
    own.second = multiply_add(apart, apart, own.second);
  });
  const Pair<T> sums = scratch.sum(share.row_lane, share.lane, own);
  if (share.inside && share.row_lane == 0)
    moments[static_cast<index_t>(blockIdx.y) * x.channels + share.channel] = {shift, sums.first, sums.second};
}

/// A thread a channel. The running values are lasting state: they stay after an error.
template <class T>
__global__ void join_kernel(const PieceMoments<T>* moments, Matrix<T> x, double eps, double momentum, T* running_mean,
                            T* running_variance, RowStatistics<T>* statistics, const ErrorRecord* error) {
  const bool keeps = has_error(error);
  for (index_t channel : grid_stride(x.channels)) {
    JoinedMoments joined;
    for (index_t first = 0, piece = 0; first < x.rows; first += x.piece, ++piece) {
      const index_t count = first + x.piece < x.rows ? x.piece : x.rows - first;
      joined.join(moments[piece * x.channels + channel], static_cast<double>(count));
    }
    statistics[channel] = channel_statistics<T>(joined.mean, joined.variance(), eps);
    if (!running_mean || keeps) continue;
    running_mean[channel] = followed(running_mean[channel], joined.mean, momentum);
    running_variance[channel] = followed(running_variance[channel], joined.unbiased_variance(), momentum);
  }
}

template <class T>
__global__ void running_kernel(const T* mean, const T* variance, double eps, RowStatistics<T>* statistics,
                               index_t channels) {
  for (index_t i : grid_stride(channels))
    statistics[i] = channel_statistics<T>(static_cast<double>(mean[i]), static_cast<double>(variance[i]), eps);
}

template <class T>
__global__ void normalise_kernel(Matrix<T> x, const T* weight, const T* bias, const RowStatistics<T>* statistics,
                                 T* result) {
  const Share<T> share(x);
  if (!share.inside) return;
  const RowStatistics<T> by = statistics[share.channel];
  const T scale = weight ? weight[share.channel] : T(1), rest = bias ? bias[share.channel] : T(0);
  const T factor = by.scale * scale, offset = by.offset * scale + rest;
  share.for_each_row([&](index_t row) {
    const index_t at = row * x.channels + share.channel;
    result[at] = multiply_add(x.data[at] - by.shift, factor, offset);
  });
}

/// The sums of upstream * y and of upstream over the piece, to `partial` [piece, 2, channels].
template <class T>
__global__ void gradient_sums_kernel(Matrix<T> x, const T* upstream, const RowStatistics<T>* statistics, T* partial) {
  auto& scratch = dynamic_shared<ColumnScratch<T>>();
  const Share<T> share(x);
  Pair<T> own{};
  const RowStatistics<T> by = share.inside ? statistics[share.channel] : RowStatistics<T>{};
  share.for_each_row([&](index_t row) {
    const index_t at = row * x.channels + share.channel;
    const T from = upstream[at];
    own.first = multiply_add(from, multiply_add(x.data[at] - by.shift, by.scale, by.offset), own.first);
    own.second += from;
  });
  const Pair<T> sums = scratch.sum(share.row_lane, share.lane, own);
  if (!share.inside || share.row_lane != 0) return;
  T* to = partial + static_cast<index_t>(blockIdx.y) * 2 * x.channels;
  to[share.channel] = sums.first;
  to[x.channels + share.channel] = sums.second;
}

template <class T>
__global__ void sum_pieces_kernel(const T* partial, index_t pieces, index_t channels, T* of_weight, T* of_bias) {
  for (index_t i : grid_stride(2 * channels)) {
    T sum = 0;
    for (index_t piece = 0; piece < pieces; ++piece) sum += partial[piece * 2 * channels + i];
    (i < channels ? of_weight[i] : of_bias[i - channels]) = sum;
  }
}

template <class T>
__global__ void input_gradient_kernel(Matrix<T> x, const T* upstream, const T* weight,
                                      const RowStatistics<T>* statistics, const T* of_weight, const T* of_bias,
                                      bool training, T* result) {
  const Share<T> share(x);
  if (!share.inside) return;
  const RowStatistics<T> by = statistics[share.channel];
  const ChannelSlopes<T> slopes = channel_slopes(by, weight ? weight[share.channel] : T(1), of_weight[share.channel],
                                                 of_bias[share.channel], x.rows, training);
  share.for_each_row([&](index_t row) {
    const index_t at = row * x.channels + share.channel;
    const T own = multiply_add(x.data[at] - by.shift, slopes.factor, slopes.rest);
    result[at] = multiply_add(upstream[at], slopes.upstream, own);
  });
}

/// A matrix and the grid over its channels and pieces.
template <class T>
struct Plan {
  Matrix<T> x;
  int64_t pieces;
  dim3 grid, block{column_threads, row_threads};
  TensorOptions options;

  explicit Plan(const Tensor& input)
      : x{input.data<T>(), input.size(0), input.size(1), rows_of_piece(input.size(0))},
        pieces((x.rows + x.piece - 1) / x.piece),
        grid(static_cast<unsigned>((x.channels + column_threads - 1) / column_threads), static_cast<unsigned>(pieces)),
        options{input.options()} {}
};

}  // namespace

void batch_statistics(const Tensor& input, double eps, const RunningStatistics& running, const Tensor& statistics) {
  with_type(input, [&]<class T>() {
    const Plan<T> plan(input);
    const Tensor memory = Tensor::empty(Shape{plan.pieces, plan.x.channels, 3}, plan.options);
    auto* moments = reinterpret_cast<PieceMoments<T>*>(memory.data<T>());
    launch(moments_kernel<T>, plan.grid, plan.block, sizeof(ColumnScratch<T>), current_stream(), plan.x, moments);
    launch(join_kernel<T>, blocks_for(plan.x.channels), 256, 0, current_stream(), moments, plan.x, eps,
           running.momentum, data_or_null<T>(running.mean), data_or_null<T>(running.variance),
           statistics_in<T>(statistics), error_record());
  });
}

void running_statistics(const RunningStatistics& running, double eps, const Tensor& statistics) {
  with_type(statistics, [&]<class T>() {
    const int64_t channels = statistics.size(0);
    launch(running_kernel<T>, blocks_for(channels), 256, 0, current_stream(), running.mean.data<T>(),
           running.variance.data<T>(), eps, statistics_in<T>(statistics), channels);
  });
}

void batch_norm(const BatchNorm& operands) {
  with_type(operands.input, [&]<class T>() {
    const Plan<T> plan(operands.input);
    launch(normalise_kernel<T>, plan.grid, plan.block, 0, current_stream(), plan.x, data_or_null<T>(operands.weight),
           data_or_null<T>(operands.bias), statistics_in<T>(operands.statistics), operands.result.data<T>());
  });
}

void batch_norm_gradient(const BatchNormGradient& operands) {
  with_type(operands.input, [&]<class T>() {
    const Plan<T> plan(operands.input);
    const Tensor partial = Tensor::empty(Shape{plan.pieces, 2, plan.x.channels}, plan.options);
    T *of_weight = operands.weight_gradient.data<T>(), *of_bias = operands.bias_gradient.data<T>();
    const T* upstream = operands.upstream.data<T>();
    RowStatistics<T>* statistics = statistics_in<T>(operands.statistics);
    launch(gradient_sums_kernel<T>, plan.grid, plan.block, sizeof(ColumnScratch<T>), current_stream(), plan.x, upstream,
           statistics, partial.data<T>());
    launch(sum_pieces_kernel<T>, blocks_for(2 * plan.x.channels), 256, 0, current_stream(), partial.data<T>(),
           plan.pieces, plan.x.channels, of_weight, of_bias);
    if (operands.input_gradient.defined())
      launch(input_gradient_kernel<T>, plan.grid, plan.block, 0, current_stream(), plan.x, upstream,
             data_or_null<T>(operands.weight), statistics, of_weight, of_bias, operands.training,
             operands.input_gradient.data<T>());
  });
}

}  // namespace percale::cuda
