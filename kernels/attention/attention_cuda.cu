// Attention on CUDA: a block for some queries of a head of a sequence, past which the keys go by in tiles (Dao,
// "FlashAttention-2", 2023). Softmax is joined from tile to tile; products are of f32 (f64 for f64).
#include <algorithm>
#include <limits>

#include "../common/convert.h"
#include "../common/device.h"
#include "attention_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 128;
/// Threads that share a row, and rows side by side: a row's threads are of one warp.
constexpr int row_threads = 8, row_groups = threads / row_threads;

/// How a block's work is cut, for heads of up to `depth` columns: rows and columns of products a thread, by what fits
/// into registers and into the 64 KB of shared memory that every GPU has.
template <class A, int depth>
struct Cut {
  static constexpr int rows_each = sizeof(A) == 8 ? 1 : depth > 64 ? 2 : 4;
  static constexpr int columns_each = rows_each;
  static constexpr int rows = rows_each * row_groups, columns = columns_each * row_threads;
  static constexpr int vectors = depth / (row_threads * wide<A>);  ///< of a row's result, a thread
  static constexpr int weights_pitch = columns + wide<A>;
};

/// 16 bytes behind each row, so that neighbouring rows begin in other banks.
template <class A, int depth, int count>
using Tile = A[count][depth + wide<A>];

template <class A, int depth>
struct ForwardShared {
  using C = Cut<A, depth>;
  Tile<A, depth, C::rows> query;
  Tile<A, depth, C::columns> key, value;
  A weights[C::rows][C::weights_pitch];
};

template <class A, int depth>
struct BackwardShared {
  using C = Cut<A, depth>;
  Tile<A, depth, C::rows> own[2];
  Tile<A, depth, C::columns> other[2];
  A weights[C::rows][C::weights_pitch];
};

template <class T>
struct Rows {
  const T* data;
  index_t step;
};

template <class T>
struct Call {
  Rows<T> query, key, value, upstream;
  const index_t* starts;
  T *result, *query_gradient, *key_gradient, *value_gradient;
  compute_t<T>*log_sums, *dots;
  index_t heads, width, tiles;  ///< tiles of the longest sequence
  compute_t<T> scale, kept;
  RandomKey random;
  uint32_t threshold;
  bool aligned;  ///< every row of every head can be read in whole vectors
  const ErrorRecord* error;

  index_t row_width() const { return heads * width; }
};

/// What a block works on: rows `first` and on of a sequence whose tokens begin at `begin`.
struct Piece {
  index_t begin, length, first, head;

  template <class T>
  __device__ Piece(const Call<T>& call, int rows) {
    const index_t sequence = blockIdx.x / call.tiles;
    begin = call.starts[sequence];
    length = call.starts[sequence + 1] - begin;
    first = blockIdx.x % call.tiles * rows;
    head = blockIdx.y;
  }
};

/// Rows `first` and on of a head of the piece's sequence; zeros behind the last token and the last column.
template <int count, int pitch, class T, class A>
__device__ void load_rows(const Call<T>& call, const Rows<T>& from, const Piece& piece, index_t first,
                          A (&to)[count][pitch]) {
  constexpr int vectors = pitch / wide<A> - 1;
  const T* base = from.data + (piece.begin + first) * from.step + piece.head * call.width;
  for (int i = static_cast<int>(threadIdx.x); i < count * vectors; i += threads) {
    const int row = i / vectors, column = i % vectors * wide<A>;
    const T* source = base + row * from.step + column;
    Vector<A, wide<A>> values = {};
    if (first + row < piece.length) {
      if (call.aligned && column < call.width) {
        values = convert_to<A>(load_vector<wide<A>>(source));
      } else {
        for (int e = 0; e < wide<A>; ++e)
          if (column + e < call.width) values[e] = static_cast<A>(source[e]);
      }
    }
    store_vector(&to[row][column], values);
  }
}

/// sums[i][j] = row i of this thread times its column j.
template <int depth, class A, int rows, int columns, int row_count, int column_count, int pitch>
__device__ void multiply_tiles(const A (&left)[row_count][pitch], const A (&right)[column_count][pitch],
                               A (&sums)[rows][columns]) {
  const int group = static_cast<int>(threadIdx.x) / row_threads, lane = static_cast<int>(threadIdx.x) % row_threads;
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j) sums[i][j] = 0;
#pragma unroll 4
  for (int k = 0; k < depth; k += wide<A>) {
    Vector<A, wide<A>> x[rows], y[columns];
#pragma unroll
    for (int i = 0; i < rows; ++i) x[i] = load_vector<wide<A>>(&left[group + i * row_groups][k]);
#pragma unroll
    for (int j = 0; j < columns; ++j) y[j] = load_vector<wide<A>>(&right[lane + j * row_threads][k]);
#pragma unroll
    for (int e = 0; e < wide<A>; ++e)
#pragma unroll
      for (int i = 0; i < rows; ++i)
#pragma unroll
        for (int j = 0; j < columns; ++j) sums[i][j] = multiply_add(x[i][e], y[j][e], sums[i][j]);
  }
}

/// sums[i] += this thread's columns of row i of weights times values.
template <class A, int rows, int vectors, int row_count, int column_count, int weights_pitch, int pitch>
__device__ void add_weighted(const A (&weights)[row_count][weights_pitch], const A (&values)[column_count][pitch],
                             Vector<A, wide<A>> (&sums)[rows][vectors]) {
  const int group = static_cast<int>(threadIdx.x) / row_threads, lane = static_cast<int>(threadIdx.x) % row_threads;
#pragma unroll 2
  for (int n = 0; n < column_count; n += wide<A>) {
    Vector<A, wide<A>> weight[rows];
#pragma unroll
    for (int i = 0; i < rows; ++i) weight[i] = load_vector<wide<A>>(&weights[group + i * row_groups][n]);
#pragma unroll
    for (int e = 0; e < wide<A>; ++e)
#pragma unroll
      for (int v = 0; v < vectors; ++v) {
        const Vector<A, wide<A>> value = load_vector<wide<A>>(&values[n + e][(lane + v * row_threads) * wide<A>]);
#pragma unroll
        for (int i = 0; i < rows; ++i)
#pragma unroll
          for (int k = 0; k < wide<A>; ++k) sums[i][v][k] = multiply_add(weight[i][e], value[k], sums[i][v][k]);
      }
  }
}

/// A row's columns of this thread into row `row` of the piece's head.
template <class T, class A, int vectors>
__device__ void store_row(const Call<T>& call, const Piece& piece, index_t row,
                          const Vector<A, wide<A>> (&values)[vectors], A factor, T* to) {
  const int lane = static_cast<int>(threadIdx.x) % row_threads;
  if (row >= piece.length) return;
  to += ((piece.begin + row) * call.heads + piece.head) * call.width;
  for (int v = 0; v < vectors; ++v)
    for (int k = 0; k < wide<A>; ++k) {
      const index_t column = (lane + v * row_threads) * wide<A> + k;
      if (column < call.width) to[column] = percale::convert_to<T>(values[v][k] * factor);
    }
}

/// The factor of the weight of a query and a key, counted within the sequence: 0 where it is dropped.
template <class T>
__device__ compute_t<T> mask_of(const Call<T>& call, const Piece& piece, uint64_t step, index_t query, index_t key) {
  if (call.threshold == 0) return 1;
  const int64_t at = masked_weight(piece.begin + query, call.heads, piece.head, key);
  return random_bits(call.random, step, at) >= call.threshold ? call.kept : compute_t<T>(0);
}

template <class T, int depth>
__global__ void __launch_bounds__(threads) forward_kernel(Call<T> call) {
  using A = compute_t<T>;
  using C = Cut<A, depth>;
  constexpr A lowest = -std::numeric_limits<A>::infinity();
  auto& shared = dynamic_shared<ForwardShared<A, depth>>();
  if (has_error(call.error)) return;
  const Piece piece(call, C::rows);
  if (piece.first >= piece.length) return;  // the whole block
  const int group = static_cast<int>(threadIdx.x) / row_threads, lane = static_cast<int>(threadIdx.x) % row_threads;
  const uint64_t step = call.threshold ? call.random.step_now() : 0;
  load_rows(call, call.query, piece, piece.first, shared.query);
  A largest[C::rows_each], sum[C::rows_each];
  Vector<A, wide<A>> results[C::rows_each][C::vectors] = {};
  for (int i = 0; i < C::rows_each; ++i) {
    largest[i] = lowest;
    sum[i] = 0;
  }
  for (index_t at = 0; at < piece.length; at += C::columns) {
    __syncthreads();  // the tiles before are used up
    load_rows(call, call.key, piece, at, shared.key);
    load_rows(call, call.value, piece, at, shared.value);
    __syncthreads();
    A products[C::rows_each][C::columns_each];
    multiply_tiles<depth>(shared.query, shared.key, products);
#pragma unroll
    for (int i = 0; i < C::rows_each; ++i) {
      A most = largest[i];
      for (int j = 0; j < C::columns_each; ++j) {
        const bool inside = at + lane + j * row_threads < piece.length;
        products[i][j] = inside ? products[i][j] * call.scale : lowest;
        most = combine::Largest{}(most, products[i][j]);
      }
      most = warp_reduce<row_threads>(most, combine::Largest{});
      const A shift = most == lowest ? A(0) : most, shrink = ::exp(largest[i] - shift);
      largest[i] = most;
      sum[i] = sum[i] * shrink;
      for (int j = 0; j < C::columns_each; ++j) {
        const A weight = ::exp(products[i][j] - shift);
        const int column = lane + j * row_threads;
        sum[i] = sum[i] + weight;
        shared.weights[group + i * row_groups][column] =
            weight * mask_of(call, piece, step, piece.first + group + i * row_groups, at + column);
      }
      for (int v = 0; v < C::vectors; ++v)
        for (int k = 0; k < wide<A>; ++k) results[i][v][k] = results[i][v][k] * shrink;
    }
    __syncwarp();  // a row's weights are its own warp's
    add_weighted(shared.weights, shared.value, results);
  }
  for (int i = 0; i < C::rows_each; ++i) {
    const A total = warp_reduce<row_threads>(sum[i], combine::Sum{});
    const index_t row = piece.first + group + i * row_groups;
    store_row(call, piece, row, results[i], 1 / total, call.result);
    if (lane == 0 && row < piece.length)
      call.log_sums[(piece.begin + row) * call.heads + piece.head] = largest[i] + ::log(total);
  }
}

/// dots [tokens, heads]: the result times its gradient, summed over each head's columns.
template <class T>
__global__ void dots_kernel(Call<T> call, index_t count) {
  using A = compute_t<T>;
  const int lane = static_cast<int>(threadIdx.x) % row_threads;
  for (index_t i = static_cast<index_t>(blockIdx.x) * row_groups + threadIdx.x / row_threads;
       i - i % (warp_size / row_threads) < count; i += static_cast<index_t>(gridDim.x) * row_groups) {
    A sum = 0;
    for (index_t column = lane; i < count && column < call.width; column += row_threads)
      sum = multiply_add(static_cast<A>(call.result[i * call.width + column]),
                         static_cast<A>(call.upstream.data[i * call.width + column]), sum);
    sum = warp_reduce<row_threads>(sum, combine::Sum{});
    if (lane == 0 && i < count) call.dots[i] = sum;
  }
}

/// The gradients of a block's keys and values, past which the queries go by; or of its queries, past which the keys do.
template <class T, int depth, bool of_keys>
__global__ void __launch_bounds__(threads) gradient_kernel(Call<T> call) {
  using A = compute_t<T>;
  using C = Cut<A, depth>;
  auto& shared = dynamic_shared<BackwardShared<A, depth>>();
  if (has_error(call.error)) return;
  const Piece piece(call, C::rows);
  if (piece.first >= piece.length) return;  // the whole block
  const int group = static_cast<int>(threadIdx.x) / row_threads, lane = static_cast<int>(threadIdx.x) % row_threads;
  const uint64_t step = call.threshold ? call.random.step_now() : 0;
  load_rows(call, of_keys ? call.key : call.query, piece, piece.first, shared.own[0]);
  load_rows(call, of_keys ? call.value : call.upstream, piece, piece.first, shared.own[1]);
  Vector<A, wide<A>> sums[C::rows_each][C::vectors] = {}, value_sums[C::rows_each][C::vectors] = {};
  for (index_t at = 0; at < piece.length; at += C::columns) {
    __syncthreads();  // the tiles before are used up
    load_rows(call, of_keys ? call.query : call.key, piece, at, shared.other[0]);
    load_rows(call, of_keys ? call.upstream : call.value, piece, at, shared.other[1]);
    __syncthreads();
    A products[C::rows_each][C::columns_each], gradients[C::rows_each][C::columns_each];
    multiply_tiles<depth>(shared.own[0], shared.other[0], products);
    multiply_tiles<depth>(shared.own[1], shared.other[1], gradients);
#pragma unroll
    for (int i = 0; i < C::rows_each; ++i)
      for (int j = 0; j < C::columns_each; ++j) {
        const index_t row = piece.first + group + i * row_groups, column = at + lane + j * row_threads;
        const index_t query = of_keys ? column : row, key = of_keys ? row : column;
        A weight = 0, gradient = 0;
        if (query < piece.length && key < piece.length) {
          const index_t number = (piece.begin + query) * call.heads + piece.head;
          const A mask = mask_of(call, piece, step, query, key);
          const A whole = ::exp(products[i][j] * call.scale - call.log_sums[number]);
          weight = whole * mask;
          gradient = whole * call.scale * (gradients[i][j] * mask - call.dots[number]);
        }
        gradients[i][j] = gradient;
        shared.weights[group + i * row_groups][lane + j * row_threads] = of_keys ? weight : gradient;
      }
    __syncwarp();  // a row's weights are its own warp's
    if constexpr (of_keys) {
      add_weighted(shared.weights, shared.other[1], value_sums);
      __syncwarp();
      for (int i = 0; i < C::rows_each; ++i)
        for (int j = 0; j < C::columns_each; ++j)
          shared.weights[group + i * row_groups][lane + j * row_threads] = gradients[i][j];
      __syncwarp();
    }
    add_weighted(shared.weights, shared.other[0], sums);
  }
  for (int i = 0; i < C::rows_each; ++i) {
    const index_t row = piece.first + group + i * row_groups;
    store_row(call, piece, row, sums[i], A(1), of_keys ? call.key_gradient : call.query_gradient);
    if constexpr (of_keys) store_row(call, piece, row, value_sums[i], A(1), call.value_gradient);
  }
}

/// Offsets into i64; those out of place are reported, and sequences that are too long.
template <class Index>
__global__ void starts_kernel(const Index* offsets, index_t* starts, index_t count, index_t tokens, index_t longest,
                              ErrorReporter of_offsets, ErrorReporter of_lengths) {
  for (index_t i : grid_stride(count)) {
    const auto offset = static_cast<index_t>(offsets[i]);
    const index_t before = i ? static_cast<index_t>(offsets[i - 1]) : 0;
    const index_t least = i == count - 1 ? tokens : before, most = i ? tokens : 0;
    if (offset < least || offset > most)
      report_bad_index(of_offsets, i, offset, tokens);
    else if (offset - before > longest)
      report_bad_index(of_lengths, i - 1, offset - before, longest);
    starts[i] = offset;
  }
}

template <class T>
Call<T> call_of(const AttentionOperands& operands, int64_t rows) {
  const AttentionShape& shape = operands.shape;
  const auto rows_of = [](const Tensor& tensor) { return Rows<T>{tensor.data<T>(), tensor.stride(0)}; };
  Call<T> call{};
  call.query = rows_of(operands.query);
  call.key = rows_of(operands.key);
  call.value = rows_of(operands.value);
  call.starts = operands.starts.data<int64_t>();
  call.result = operands.result.data<T>();
  call.log_sums = operands.log_sums.data<compute_t<T>>();
  call.heads = shape.heads;
  call.width = shape.width;
  call.tiles = (shape.longest + rows - 1) / rows;
  call.scale = static_cast<compute_t<T>>(shape.scale);
  call.kept = static_cast<compute_t<T>>(shape.kept);
  call.random = shape.key;
  call.threshold = shape.threshold;
  constexpr int vector = wide<compute_t<T>>;
  const auto fits = [](const Rows<T>& matrix) { return matrix.step % vector == 0 && is_aligned<vector>(matrix.data); };
  call.aligned = shape.width % vector == 0 && fits(call.query) && fits(call.key) && fits(call.value);
  call.error = error_record();
  return call;
}

/// Calls `body.operator()<T, depth>()` for the operands' dtype and the least depth that holds a head.
template <class Body>
void with_depth(const AttentionOperands& operands, Body body) {
  const int64_t width = operands.shape.width;
  const auto as = [&]<class T>() {
    if (width <= 32)
      body.template operator()<T, 32>();
    else if (width <= 64)
      body.template operator()<T, 64>();
    else
      body.template operator()<T, 128>();
  };
  if (operands.query.dtype() == f64)
    as.template operator()<double>();
  else if (operands.query.dtype() == bf16)
    as.template operator()<bfloat16>();
  else
    as.template operator()<float>();
}

template <class T>
dim3 grid_of(const AttentionOperands& operands, const Call<T>& call) {
  return {static_cast<unsigned>(call.tiles * (operands.starts.numel() - 1)), static_cast<unsigned>(call.heads)};
}

}  // namespace

void attention_starts(const Tensor& offsets, int64_t tokens, int64_t longest, const Tensor& starts) {
  const ErrorReporter of_offsets = error_reporter("attention", offsets.shape(), current_stream(),
                                                  "offset {value} at position {position} is out of place: offsets "
                                                  "begin at 0, do not fall, and end at {bound} tokens");
  const ErrorReporter of_lengths =
      error_reporter("attention", offsets.shape(), current_stream(),
                     "{value} tokens of the sequence at position {position} are more than the longest has, {bound}");
  visit_index("attention", offsets.dtype(), [&]<class Index>() {
    launch(starts_kernel<Index>, blocks_for(offsets.numel()), 256, 0, current_stream(), offsets.data<Index>(),
           starts.data<int64_t>(), offsets.numel(), tokens, longest, of_offsets, of_lengths);
  });
}

void attention(const AttentionOperands& operands) {
  with_depth(operands, [&]<class T, int depth>() {
    using A = compute_t<T>;
    const Call<T> call = call_of<T>(operands, Cut<A, depth>::rows);
    launch(forward_kernel<T, depth>, grid_of(operands, call), threads, sizeof(ForwardShared<A, depth>),
           current_stream(), call);
  });
}

void attention_gradient(const AttentionOperands& operands, const AttentionGradients& gradients) {
  const Tensor dots = Tensor::empty(operands.log_sums.shape(), operands.log_sums.options());
  with_depth(operands, [&]<class T, int depth>() {
    using A = compute_t<T>;
    Call<T> call = call_of<T>(operands, Cut<A, depth>::rows);
    call.upstream = {gradients.upstream.data<T>(), gradients.upstream.stride(0)};
    call.aligned = call.aligned && is_aligned<wide<A>>(call.upstream.data);
    call.query_gradient = gradients.query.data<T>();
    call.key_gradient = gradients.key.data<T>();
    call.value_gradient = gradients.value.data<T>();
    call.dots = dots.data<A>();
    const dim3 grid = grid_of(operands, call);
    constexpr size_t shared = sizeof(BackwardShared<A, depth>);
    launch(dots_kernel<T>, blocks_for(dots.numel(), row_groups), threads, 0, current_stream(), call, dots.numel());
    launch(gradient_kernel<T, depth, true>, grid, threads, shared, current_stream(), call);
    launch(gradient_kernel<T, depth, false>, grid, threads, shared, current_stream(), call);
  });
}

}  // namespace percale::cuda
