#include <algorithm>

#include "../common/convert.h"
#include "../common/data_or_null.h"
#include "../common/device.h"
#include "../common/device_finish.h"
#include "../matmul/matmul_layout.h"
#include "linear_twins.h"

namespace percale::cuda {
namespace {

// --- a few rows: x and weight through shared memory, the depth cut into slices
// ------------------------------------------

constexpr int skinny_threads = 128;
constexpr int row_lanes = 16, column_lanes = 8;  // threads side by side
constexpr int columns_per_thread = 4;
constexpr int tile_columns = column_lanes * columns_per_thread;
template <class T>
constexpr int tile_depth = static_cast<int>(128 / sizeof(T));
/// 16 bytes behind each row, so that neighbouring rows begin in other banks.
template <class T>
constexpr int pitch = tile_depth<T> + wide<T>;

/// What is multiplied now, and what arrives meanwhile.
template <class T, int rows_per_thread>
struct SkinnyTiles {
  T x[2][row_lanes * rows_per_thread][pitch<T>];
  T weight[2][tile_columns][pitch<T>];
};

/// out[rows, columns] = x[rows, depth] weight[columns, depth]^T + bias, then the activation. With several slices of the
/// depth (a grid's y), each leaves its sums in `partials` [slice, rows, columns] for `finish_kernel`.
template <class T>
struct SkinnyProduct {
  const T *x, *weight, *bias;
  T* out;
  compute_t<T>* partials;
  int64_t rows, columns, depth, x_step, weight_step, slice;
  Activation activation;
  bool aligned;  ///< both operands can be read 16 bytes at a time
};

template <class T>
__device__ void store_finished(const SkinnyProduct<T>& p, int64_t row, int64_t column, compute_t<T> sum) {
  if (p.bias) sum += static_cast<compute_t<T>>(p.bias[column]);
  p.out[row * p.columns + column] =
      percale::convert_to<T>(p.activation == Activation::relu && sum < 0 ? compute_t<T>(0) : sum);
}

/// Rows `first_row`... of [rows, depth], columns `begin` to `end`, into a tile; zeros where there is nothing.
template <int tile_rows, class T>
__device__ void load_tile(T (&tile)[tile_rows][pitch<T>], const T* from, int64_t step, int64_t first_row, int64_t rows,
                          int64_t begin, int64_t end, bool aligned) {
  constexpr int vectors = tile_depth<T> / wide<T>;
  for (int i = static_cast<int>(threadIdx.x); i < tile_rows * vectors; i += skinny_threads) {
    const int row = i / vectors, at = i % vectors * wide<T>;
    const int64_t k = begin + at;
    T* to = &tile[row][at];
    const T* source = from + (first_row + row) * step + k;
    if (aligned && first_row + row < rows && k + wide<T> <= end) {
      async_copy<16>(to, source);
    } else {
      for (int e = 0; e < wide<T>; ++e) to[e] = first_row + row < rows && k + e < end ? source[e] : T(0);
    }
  }
}

template <class T, int rows_per_thread>
__global__ void __launch_bounds__(skinny_threads) skinny_kernel(SkinnyProduct<T> p) {
  using Sum = compute_t<T>;
  auto& tiles = dynamic_shared<SkinnyTiles<T, rows_per_thread>>();
  const int row_lane = static_cast<int>(threadIdx.x) / column_lanes,
            column_lane = static_cast<int>(threadIdx.x) % column_lanes;
  const unsigned across = static_cast<unsigned>((p.columns + tile_columns - 1) / tile_columns);
  const int64_t first_row = static_cast<int64_t>(blockIdx.x / across) * row_lanes * rows_per_thread;
  const int64_t first_column = static_cast<int64_t>(blockIdx.x % across) * tile_columns;
  const int64_t begin = static_cast<int64_t>(blockIdx.y) * p.slice;
  const int64_t end = begin + p.slice < p.depth ? begin + p.slice : p.depth;
  Sum sums[rows_per_thread][columns_per_thread] = {};

  auto load = [&](int64_t k) {
    const int buffer = static_cast<int>((k - begin) / tile_depth<T> % 2);
    if (k < end) {
      load_tile(tiles.x[buffer], p.x, p.x_step, first_row, p.rows, k, end, p.aligned);
      load_tile(tiles.weight[buffer], p.weight, p.weight_step, first_column, p.columns, k, end, p.aligned);
    }
    async_commit();
  };
  load(begin);
  for (int64_t k = begin; k < end; k += tile_depth<T>) {
    load(k + tile_depth<T>);
    async_wait<1>();
    __syncthreads();
    const int buffer = static_cast<int>((k - begin) / tile_depth<T> % 2);
#pragma unroll 1
    for (int at = 0; at < tile_depth<T>; at += wide<T>) {
      Vector<T, wide<T>> x[rows_per_thread], weight[columns_per_thread];
#pragma unroll
      for (int i = 0; i < rows_per_thread; ++i)
        x[i] = load_vector<wide<T>>(&tiles.x[buffer][row_lane + i * row_lanes][at]);
#pragma unroll
      for (int j = 0; j < columns_per_thread; ++j)
        weight[j] = load_vector<wide<T>>(&tiles.weight[buffer][column_lane + j * column_lanes][at]);
#pragma unroll
      for (int e = 0; e < wide<T>; ++e)
#pragma unroll
        for (int i = 0; i < rows_per_thread; ++i)
#pragma unroll
          for (int j = 0; j < columns_per_thread; ++j)
            sums[i][j] = multiply_add(static_cast<Sum>(x[i][e]), static_cast<Sum>(weight[j][e]), sums[i][j]);
    }
    __syncthreads();  // before the buffer is filled again
  }

  for (int i = 0; i < rows_per_thread; ++i) {
    const int64_t row = first_row + row_lane + i * row_lanes;
    for (int j = 0; j < columns_per_thread && row < p.rows; ++j) {
      const int64_t column = first_column + column_lane + j * column_lanes;
      if (column >= p.columns) continue;
      if (gridDim.y == 1)
        store_finished(p, row, column, sums[i][j]);
      else
        p.partials[(static_cast<int64_t>(blockIdx.y) * p.rows + row) * p.columns + column] = sums[i][j];
    }
  }
}

/// Adds up the slices in their order.
template <class T>
__global__ void finish_kernel(SkinnyProduct<T> p, int64_t slices) {
  const int64_t count = p.rows * p.columns;
  for (index_t i : grid_stride(count)) {
    compute_t<T> sum = p.partials[i];
    for (int64_t slice = 1; slice < slices; ++slice) sum += p.partials[slice * count + i];
    store_finished(p, i / p.columns, i % p.columns, sum);
  }
}

/// How the depth is cut: by the weights' extents alone, so that a row's bytes do not depend on the number of rows, nor
/// on the GPU. As many slices as give 512 blocks (four for each multiprocessor of an H200), but at least four tiles
/// each.
template <class T>
int64_t slice_of(int64_t columns, int64_t depth) {
  const int64_t across = (columns + tile_columns - 1) / tile_columns;
  const int64_t wanted = std::max<int64_t>(512 / across, 1);
  const int64_t tiles = (depth + tile_depth<T> - 1) / tile_depth<T>;
  return std::max<int64_t>((tiles + wanted - 1) / wanted, 4) * tile_depth<T>;
}

template <class T, int rows_per_thread>
void launch_skinny(SkinnyProduct<T> p) {
  const int64_t slices = std::max<int64_t>((p.depth + p.slice - 1) / p.slice, 1);
  using Sum = compute_t<T>;
  const TensorOptions sum_options{dtype_of<Sum>, cuda_device};
  const Tensor partials = Tensor::empty({slices > 1 ? slices : 0, p.rows, p.columns}, sum_options);
  p.partials = partials.data<Sum>();
  constexpr int tile_rows = row_lanes * rows_per_thread;
  const int64_t across = (p.columns + tile_columns - 1) / tile_columns, down = (p.rows + tile_rows - 1) / tile_rows;
  const dim3 grid(Extents::fitting(across * down), static_cast<unsigned>(slices));  // x: y and z end at 65,535
  p.aligned = is_aligned<wide<T>>(p.x) && is_aligned<wide<T>>(p.weight) && p.x_step % wide<T> == 0 &&
              p.weight_step % wide<T> == 0;
  launch(skinny_kernel<T, rows_per_thread>, grid, skinny_threads, sizeof(SkinnyTiles<T, rows_per_thread>),
         current_stream(), p);
  if (slices > 1) launch(finish_kernel<T>, blocks_for(p.rows * p.columns), 256, 0, current_stream(), p, slices);
}

/// `tensor` with its rows' elements next to each other.
Tensor with_dense_rows(const Tensor& tensor) {
  return tensor.size(1) <= 1 || tensor.stride(1) == 1 ? tensor.detach() : tensor.detach().contiguous();
}

void skinny_linear(const LinearOperands& operands) {
  const Tensor x = with_dense_rows(operands.x), weight = with_dense_rows(operands.weight);
  const Tensor bias = operands.bias.defined() ? operands.bias.detach().contiguous() : Tensor();
  visit_floating("linear", x.dtype(), [&]<class T>() {
    SkinnyProduct<T> p{};
    p.x = x.data<T>();
    p.weight = weight.data<T>();
    p.bias = data_or_null<T>(bias);
    p.out = operands.result.template data<T>();
    p.rows = x.size(0);
    p.columns = weight.size(0);
    p.depth = x.size(1);
    p.x_step = x.stride(0);
    p.weight_step = weight.stride(0);
    p.slice = slice_of<T>(p.columns, p.depth);
    p.activation = operands.activation;
    if constexpr (sizeof(T) < 8) {
      if (p.rows <= row_lanes) return launch_skinny<T, 1>(p);
    }
    launch_skinny<T, 4>(p);
  });
}

// --- many rows: cuBLASLt
// ------------------------------------------------------------------------------------------------

void library_linear(const LinearOperands& operands) {
  MatrixProduct product;
  product.rows = operands.x.size(0);
  product.columns = operands.weight.size(0);
  product.depth = operands.x.size(1);
  product.dtype = operands.x.dtype();
  product.precision = current_precision();
  const Tensor x = readable(operands.x, product.left), weight = readable(operands.weight.detach().t(), product.right);
  const Tensor bias = operands.bias.defined() ? operands.bias.detach().contiguous() : Tensor();
  const bool relu = operands.activation == Activation::relu;
  if (bias.defined())
    product.epilogue = relu ? ProductEpilogue::bias_relu : ProductEpilogue::bias;
  else if (relu)
    product.epilogue = ProductEpilogue::relu;
  const Tensor workspace = product_workspace_tensor();
  const Unfinished rest = multiply(product, x.data(), weight.data(), bias.defined() ? bias.data() : nullptr,
                                   operands.result.data(), workspace.data(), current_stream());
  finish("linear", rest, bias, operands.result);
}

/// Up to how many rows the kernel above computes. By arithmetic, until a GPU has been asked: without tensor cores both
/// are bound by the same units, and the kernel's slices fill the GPU where a library's tiles of 64 or 128 columns would
/// leave most of it idle; with them (tf32, f16, bf16) cuBLASLt is ahead as soon as the product, not the reading of the
/// weights, takes the time.
struct Switch {
  int64_t weights;  ///< up to so many
  int64_t rows_plain, rows_tensor_cores;
};
constexpr Switch switches[] = {{1 << 16, 64, 64}, {1 << 20, 64, 32}, {INT64_MAX, 64, 16}};

bool is_skinny(const LinearOperands& operands) {
  if (operands.x.dtype() == f64 || operands.x.size(1) == 0) return true;  // cuBLASLt has neither
  const bool tensor_cores = operands.x.dtype() != f32 || current_precision() == Precision::tf32;
  for (const Switch& row : switches)
    if (operands.weight.numel() <= row.weights)
      return operands.x.size(0) <= (tensor_cores ? row.rows_tensor_cores : row.rows_plain);
  return false;
}

// --- the way back
// -------------------------------------------------------------------------------------------------------

constexpr int gradient_rows = 8;  // threads that share columns

template <class Sum, int vector>
struct GradientSums {
  Sum of[gradient_rows][warp_size * vector];
};

/// The ReLU's mask, and the sum over the rows: a block for 32 threads' columns and some rows, added up in one order.
template <int vector, class T>
__global__ void gradient_kernel(const T* gradient, const T* result, T* masked, T* sums, compute_t<T>* partials,
                                int64_t rows, int64_t columns, int64_t rows_per_block) {
  using Sum = compute_t<T>;
  auto& shared = dynamic_shared<GradientSums<Sum, vector>>();
  const int64_t column = (static_cast<int64_t>(blockIdx.x) * warp_size + threadIdx.x) * vector;
  const int64_t begin = static_cast<int64_t>(blockIdx.y) * rows_per_block;
  const int64_t end = begin + rows_per_block < rows ? begin + rows_per_block : rows;
  Sum found[vector] = {};
  for (int64_t row = begin + threadIdx.y; row < end && column < columns; row += gradient_rows) {
    const int64_t at = row * columns + column;
    Vector<T, vector> values = load_vector<vector>(gradient + at);
    if (result) {
      const Vector<T, vector> results = load_vector<vector>(result + at);
      for (int k = 0; k < vector; ++k)
        if (static_cast<Sum>(results[k]) <= 0) values[k] = T(0);
    }
    if (masked) store_vector(masked + at, values);
    for (int k = 0; k < vector; ++k) found[k] += static_cast<Sum>(values[k]);
  }
  if (!sums) return;
  for (int k = 0; k < vector; ++k) shared.of[threadIdx.y][threadIdx.x * vector + k] = found[k];
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) return;
  for (int k = 0; k < vector; ++k) {
    Sum total{};
    for (int row = 0; row < gradient_rows; ++row) total += shared.of[row][threadIdx.x * vector + k];
    if (gridDim.y == 1)
      sums[column + k] = percale::convert_to<T>(total);
    else
      partials[blockIdx.y * columns + column + k] = total;
  }
}

template <class T>
__global__ void add_partials_kernel(const compute_t<T>* partials, int64_t blocks, int64_t columns, T* sums) {
  for (index_t column : grid_stride(columns)) {
    compute_t<T> total{};
    for (int64_t block = 0; block < blocks; ++block) total += partials[block * columns + column];
    sums[column] = percale::convert_to<T>(total);
  }
}

template <int vector, class T>
void launch_gradient(const T* gradient, const T* result, T* masked, T* sums, int64_t rows, int64_t columns) {
  const int64_t rows_per_block = std::max<int64_t>((rows + 255) / 256, 64),
                blocks = (rows + rows_per_block - 1) / rows_per_block;
  const int64_t across = (columns / vector + warp_size - 1) / warp_size;
  using Sum = compute_t<T>;
  const TensorOptions sum_options{dtype_of<Sum>, cuda_device};
  const bool in_parts = sums && blocks > 1;
  const Tensor partials = Tensor::empty({in_parts ? blocks : 0, columns}, sum_options);
  Sum* of_blocks = partials.data<Sum>();
  launch(gradient_kernel<vector, T>, dim3(Extents::fitting(across), static_cast<unsigned>(blocks)),
         dim3(warp_size, gradient_rows), sizeof(GradientSums<Sum, vector>), current_stream(), gradient, result, masked,
         sums, of_blocks, rows, columns, rows_per_block);
  if (in_parts)
    launch(add_partials_kernel<T>, blocks_for(columns, 128), 128, 0, current_stream(), of_blocks, blocks, columns,
           sums);
}

}  // namespace

void linear(const LinearOperands& operands) {
  if (is_skinny(operands))
    skinny_linear(operands);
  else
    library_linear(operands);
}

void linear_gradient(const LinearGradient& operands) {
  const int64_t rows = operands.gradient.size(0), columns = operands.gradient.size(1);
  visit_floating("linear", operands.gradient.dtype(), [&]<class T>() {
    const T *gradient = data_or_null<T>(operands.gradient), *result = data_or_null<T>(operands.result);
    T *masked = data_or_null<T>(operands.masked), *sums = data_or_null<T>(operands.sums);
    const auto run = [&]<int vector>() { launch_gradient<vector>(gradient, result, masked, sums, rows, columns); };
    with_vector<T>(columns, run, gradient, result, masked);
  });
}

}  // namespace percale::cuda
