// Layer normalisation on CUDA: a warp or a block a row, which keeps the row's first elements in registers; weight's and
// bias's gradients in a second pass, by columns and fixed pieces of the rows.
#include <algorithm>

#include "../common/convert.h"
#include "../common/device.h"
#include "../common/device_row.h"
#include "layer_norm_twins.h"

namespace percale::cuda {
namespace {

/// T: of the input, R: of the residual, Y: of the result.
template <class T, class R, class Y>
struct Forward {
  using A = compute_t<T>;
  const T* input;
  const R* residual;  ///< or null
  const A *weight, *bias;
  Y* result;
  RowStatistics<A>* statistics;
  index_t rows, width;
  double eps;
};

/// Elements of input + residual, read where a row's loop asks for them.
template <class T, class R, class A>
struct SumOfTwo {
  const T* input;
  const R* residual;

  template <int vector>
  __device__ Vector<A, vector> load(index_t i) const {
    Vector<A, vector> values = convert_to<A>(load_vector<vector>(input + i));
    if (residual) {
      const Vector<A, vector> more = convert_to<A>(load_vector<vector>(residual + i));
#pragma unroll
      for (int k = 0; k < vector; ++k) values[k] = values[k] + more[k];
    }
    return values;
  }
};

template <int group, int vector, class T, class R, class Y>
__global__ void layer_norm_kernel(Forward<T, R, Y> all) {
  using A = compute_t<T>;
  const index_t row = row_of_group<group>(), first = row * all.width;
  if (row >= all.rows) return;  // a whole warp
  const SumOfTwo<T, R, A> source{all.input + first, all.residual ? all.residual + first : nullptr};
  const KeptRow<group, vector, A, SumOfTwo<T, R, A>> x(source, all.width);
  const RowStatistics<A> by = statistics_of<group>(x, all.width, all.eps);
  x.for_each([&](index_t i, const Vector<A, vector>& values) {
    store_vector(all.result + first + i, scaled<Y>(values, by, all.weight, all.bias, i));
  });
  if (all.statistics && x.thread == 0) all.statistics[row] = by;
}

template <class T, class R, class Y>
struct Gradient {
  using A = compute_t<T>;
  const Y* upstream;
  const T* input;
  const R* residual;
  const A* weight;
  const RowStatistics<A>* statistics;
  T* input_gradient;
  R* residual_gradient;  ///< or null
  index_t rows, width;
};

template <class Y, class A>
struct Converted {
  const Y* values;
  template <int vector>
  __device__ Vector<A, vector> load(index_t i) const {
    return convert_to<A>(load_vector<vector>(values + i));
  }
};

/// scale * (h - mean(h) - y * mean(h * y)) with h = upstream * weight and y = normalised x.
template <int group, int vector, class T, class R, class Y>
__global__ void input_gradient_kernel(Gradient<T, R, Y> all) {
  using A = compute_t<T>;
  const index_t row = row_of_group<group>(), first = row * all.width;
  if (row >= all.rows) return;  // a whole warp
  const SumOfTwo<T, R, A> source{all.input + first, all.residual ? all.residual + first : nullptr};
  const KeptRow<group, vector, A, SumOfTwo<T, R, A>> x(source, all.width);
  const KeptRow<group, vector, A, Converted<Y, A>> upstream({all.upstream + first}, all.width);
  const RowStatistics<A> by = all.statistics[row];
  auto weighted = [&](A value, index_t i) { return all.weight ? value * all.weight[i] : value; };
  TwoSums<A> sums{};
  x.for_each_with(upstream, [&](index_t i, const Vector<A, vector>& own, const Vector<A, vector>& from) {
#pragma unroll
    for (int k = 0; k < vector; ++k) {
      const A h = weighted(from[k], i + k);
      sums.first += h;
      sums.second = multiply_add(h, normalised(own[k], by), sums.second);
    }
  });
  sums = group_reduce<group>(sums, combine::BothSums{}, TwoSums<A>{});
  const A mean = sums.first / static_cast<A>(all.width), slope = sums.second / static_cast<A>(all.width);
  x.for_each_with(upstream, [&](index_t i, const Vector<A, vector>& own, const Vector<A, vector>& from) {
    Vector<T, vector> result;
    Vector<R, vector> second;
#pragma unroll
    for (int k = 0; k < vector; ++k) {
      const A centred = weighted(from[k], i + k) - mean;
      const A value = multiply_add(-normalised(own[k], by), slope, centred) * by.scale;
      result[k] = percale::convert_to<T>(value);
      second[k] = percale::convert_to<R>(value);
    }
    store_vector(all.input_gradient + first + i, result);
    if (all.residual_gradient) store_vector(all.residual_gradient + first + i, second);
  });
}

constexpr int column_threads = warp_size, row_threads = 8;

template <class A>
struct ColumnSums {
  TwoSums<A> of[row_threads][column_threads];
};

/// Block (x, y): what weight and bias gain from piece y of the rows, in 32 columns, to `partial` [piece, 2, width].
template <class T, class R, class Y>
__global__ void parameter_gradient_kernel(Gradient<T, R, Y> all, index_t piece, compute_t<T>* partial) {
  using A = compute_t<T>;
  auto& shared = dynamic_shared<ColumnSums<A>>();
  const int lane = static_cast<int>(threadIdx.x), row_lane = static_cast<int>(threadIdx.y);
  const index_t column = static_cast<index_t>(blockIdx.x) * column_threads + lane;
  const bool inside = column < all.width;
  TwoSums<A> sums{};
  if (inside) {
    const index_t begin = static_cast<index_t>(blockIdx.y) * piece;
    const index_t end = begin + piece < all.rows ? begin + piece : all.rows;
#pragma unroll 4
    for (index_t row = begin + row_lane; row < end; row += row_threads) {
      const index_t at = row * all.width + column;
      const A from = percale::convert_to<A>(all.upstream[at]);
      const SumOfTwo<T, R, A> x{all.input, all.residual};
      sums.first = multiply_add(from, normalised(x.template load<1>(at)[0], all.statistics[row]), sums.first);
      sums.second += from;
    }
  }
  shared.of[row_lane][lane] = sums;
  __syncthreads();
  if (row_lane != 0 || !inside) return;
  for (int k = 1; k < row_threads; ++k) sums = combine::BothSums{}(sums, shared.of[k][lane]);
  A* to = partial + static_cast<index_t>(blockIdx.y) * 2 * all.width;
  to[column] = sums.first;
  to[all.width + column] = sums.second;
}

template <class A>
__global__ void sum_pieces_kernel(const A* partial, index_t pieces, index_t width, A* of_weight, A* of_bias) {
  for (index_t i : grid_stride(2 * width)) {
    A sum = 0;
    for (index_t piece = 0; piece < pieces; ++piece) sum += partial[piece * 2 * width + i];
    if (i < width && of_weight) of_weight[i] = sum;
    if (i >= width && of_bias) of_bias[i - width] = sum;
  }
}

template <class T, class R, class Y>
void forward(const LayerNorm& operands) {
  using A = compute_t<T>;
  const Forward<T, R, Y> all{operands.input.data<T>(),
                             data_or_null<R>(operands.residual),
                             data_or_null<A>(operands.weight),
                             data_or_null<A>(operands.bias),
                             operands.result.data<Y>(),
                             statistics_in<A>(operands.statistics),
                             operands.input.size(0),
                             operands.input.size(1),
                             operands.eps};
  with_group<A>(
      all.width,
      [&]<int group, int vector>() {
        launch(layer_norm_kernel<group, vector, T, R, Y>, blocks_of_rows<group>(all.rows), row_block,
               group_scratch<group, TwoSums<A>>, current_stream(), all);
      },
      all.input, all.residual, all.result);
}

template <class T, class R, class Y>
void gradient(const LayerNormGradient& operands) {
  using A = compute_t<T>;
  const Gradient<T, R, Y> all{operands.upstream.data<Y>(),
                              operands.input.data<T>(),
                              data_or_null<R>(operands.residual),
                              data_or_null<A>(operands.weight),
                              statistics_in<A>(operands.statistics),
                              data_or_null<T>(operands.input_gradient),
                              data_or_null<R>(operands.residual_gradient),
                              operands.input.size(0),
                              operands.input.size(1)};
  if (all.input_gradient)
    with_group<A>(
        all.width,
        [&]<int group, int vector>() {
          launch(input_gradient_kernel<group, vector, T, R, Y>, blocks_of_rows<group>(all.rows), row_block,
                 group_scratch<group, TwoSums<A>>, current_stream(), all);
        },
        all.upstream, all.input, all.residual, all.input_gradient, all.residual_gradient);
  if (!operands.weight_gradient.defined() && !operands.bias_gradient.defined()) return;
  const int64_t piece = rows_of_piece(all.rows), pieces = (all.rows + piece - 1) / piece;
  const TensorOptions options{dtype_of<A>, operands.input.device()};
  const Tensor partial = Tensor::empty(Shape{pieces, 2, all.width}, options);
  const dim3 grid(static_cast<unsigned>((all.width + column_threads - 1) / column_threads),
                  static_cast<unsigned>(pieces));
  launch(parameter_gradient_kernel<T, R, Y>, grid, dim3(column_threads, row_threads), sizeof(ColumnSums<A>),
         current_stream(), all, piece, partial.data<A>());
  launch(sum_pieces_kernel<A>, blocks_for(2 * all.width), 256, 0, current_stream(), partial.data<A>(), pieces,
         all.width, data_or_null<A>(operands.weight_gradient), data_or_null<A>(operands.bias_gradient));
}

/// Calls `body.operator()<T, R, Y>()` for the dtypes of input, residual (the input's if there is none) and result.
template <class Body>
void with_dtypes(const Tensor& input, const Tensor& residual, DType result, Body body) {
  visit_floating("layer_norm", input.dtype(), [&]<class T>() {
    if constexpr (std::is_same_v<T, compute_t<T>>)
      body.template operator()<T, T, T>();
    else if (residual.defined() && residual.dtype() == f32)
      body.template operator()<T, float, float>();
    else if (result == f32)
      body.template operator()<T, T, float>();
    else
      body.template operator()<T, T, T>();
  });
}

}  // namespace

void layer_norm(const LayerNorm& operands) {
  with_dtypes(operands.input, operands.residual, operands.result.dtype(),
              [&]<class T, class R, class Y>() { forward<T, R, Y>(operands); });
}

void layer_norm_gradient(const LayerNormGradient& operands) {
  with_dtypes(operands.input, operands.residual, operands.upstream.dtype(),
              [&]<class T, class R, class Y>() { gradient<T, R, Y>(operands); });
}

}  // namespace percale::cuda
