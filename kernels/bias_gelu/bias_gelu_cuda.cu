// Bias and GELU on CUDA: a block takes 32 vectors of columns, whose biases its threads keep, and a piece of the rows.
#include <algorithm>

#include "../common/convert.h"
#include "../common/device.h"
#include "../elementwise/elementwise_scalar.h"
#include "bias_gelu_twins.h"

namespace percale::cuda {
namespace {

constexpr int column_threads = warp_size, row_threads = 8;

template <class T>
struct Rows {
  using A = compute_t<T>;
  const T* upstream;  ///< null in the forward pass
  const T* input;
  const A* bias;
  T* result;
  index_t rows, width, piece;
};

template <class A, int vector>
struct ColumnSums {
  Vector<A, vector> of[row_threads][column_threads];
};

/// The result, or with `backward` the input's gradient and its sums over the piece in `partial` [piece, width].
template <bool backward, int vector, class T>
__global__ void bias_gelu_kernel(Rows<T> all, compute_t<T>* partial) {
  using A = compute_t<T>;
  const int lane = static_cast<int>(threadIdx.x), row_lane = static_cast<int>(threadIdx.y);
  const index_t column = (static_cast<index_t>(blockIdx.x) * column_threads + lane) * vector;
  const bool inside = column < all.width;
  Vector<A, vector> sums = {};
  if (inside) {
    const Vector<A, vector> bias = load_vector<vector>(all.bias + column);
    const index_t begin = static_cast<index_t>(blockIdx.y) * all.piece;
    const index_t end = begin + all.piece < all.rows ? begin + all.piece : all.rows;
    for (index_t row = begin + row_lane; row < end; row += row_threads) {
      const index_t at = row * all.width + column;
      Vector<A, vector> x = convert_to<A>(load_vector<vector>(all.input + at)), from = {};
      if constexpr (backward) from = convert_to<A>(load_vector<vector>(all.upstream + at));
      Vector<T, vector> result;
#pragma unroll
      for (int k = 0; k < vector; ++k) {
        x[k] = x[k] + bias[k];
        const A below = elementwise::normal_below(x[k]);
        const A value = backward ? from[k] * (below + x[k] * elementwise::normal_density(x[k])) : x[k] * below;
        result[k] = percale::convert_to<T>(value);
        sums[k] = sums[k] + value;
      }
      store_vector(all.result + at, result);
    }
  }
  if constexpr (backward) {
    auto& shared = dynamic_shared<ColumnSums<A, vector>>();
    shared.of[row_lane][lane] = sums;
    __syncthreads();
    if (row_lane != 0 || !inside) return;
    for (int other = 1; other < row_threads; ++other)
      for (int k = 0; k < vector; ++k) sums[k] = sums[k] + shared.of[other][lane][k];
    store_vector(partial + static_cast<index_t>(blockIdx.y) * all.width + column, sums);
  }
}

template <class A>
__global__ void sum_pieces_kernel(const A* partial, index_t pieces, index_t width, A* result) {
  for (index_t i : grid_stride(width)) {
    A sum = 0;
    for (index_t piece = 0; piece < pieces; ++piece) sum += partial[piece * width + i];
    result[i] = sum;
  }
}

/// Rows a block takes: by their number alone, so that the bytes of sums are the same on every GPU.
int64_t rows_of_block(int64_t rows) {
  int64_t piece = 32;
  while (piece * 1024 < rows) piece *= 2;
  return piece;
}

template <bool backward, class T>
void start(Rows<T> all, compute_t<T>* partial, int64_t pieces) {
  using A = compute_t<T>;
  auto with = [&]<int vector>() {
    constexpr int columns = column_threads * vector;
    const dim3 grid(static_cast<unsigned>((all.width + columns - 1) / columns), static_cast<unsigned>(pieces));
    launch(bias_gelu_kernel<backward, vector, T>, grid, dim3(column_threads, row_threads),
           backward ? sizeof(ColumnSums<A, vector>) : 0, current_stream(), all, partial);
  };
  constexpr int most = wide<A>;
  const bool fits = all.width % most == 0 && is_aligned<most>(all.bias) && is_aligned<most>(partial) &&
                    is_aligned<most>(all.upstream) && is_aligned<most>(all.input) && is_aligned<most>(all.result);
  if (fits)
    with.template operator()<most>();
  else
    with.template operator()<1>();
}

}  // namespace

void bias_gelu(const Tensor& input, const Tensor& bias, const Tensor& result) {
  visit_floating("bias_gelu", input.dtype(), [&]<class T>() {
    const int64_t rows = input.size(0), piece = rows_of_block(rows);
    const Rows<T> all{nullptr, input.data<T>(), bias.data<compute_t<T>>(), result.data<T>(), rows, input.size(1),
                      piece};
    start<false, T>(all, nullptr, (rows + piece - 1) / piece);
  });
}

void bias_gelu_gradient(const BiasGeluGradient& operands) {
  visit_floating("bias_gelu", operands.input.dtype(), [&]<class T>() {
    using A = compute_t<T>;
    const int64_t rows = operands.input.size(0), width = operands.input.size(1), piece = rows_of_block(rows);
    const int64_t pieces = (rows + piece - 1) / piece;
    const TensorOptions options{dtype_of<A>, operands.input.device()};
    const Tensor partial = Tensor::empty(Shape{pieces, width}, options);
    const Rows<T> all{operands.upstream.data<T>(),
                      operands.input.data<T>(),
                      operands.bias.data<A>(),
                      operands.input_gradient.data<T>(),
                      rows,
                      width,
                      piece};
    start<true, T>(all, partial.data<A>(), pieces);
    if (operands.bias_gradient.defined())
      launch(sum_pieces_kernel<A>, blocks_for(width), 256, 0, current_stream(), partial.data<A>(), pieces, width,
             operands.bias_gradient.data<A>());
  });
}

}  // namespace percale::cuda
