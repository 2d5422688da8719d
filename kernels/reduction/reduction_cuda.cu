// Reductions on CUDA: threads keep their own totals, which meet in a fixed order; long reductions are cut by their size
// into chunks, whose results a second launch reduces. No atomics.
#include "../common/convert.h"
#include "../common/device.h"
#include "reduction_plan.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256, column_threads = warp_size, row_threads = threads / warp_size;
/// Elements of an output that a block takes: 64 or 32 a thread.
constexpr int64_t row_length = 16384, column_length = 256;

/// Where outputs and their elements lie, and the share of them that a block takes.
struct Extent {
  StridedLayout<2> outputs;  ///< operand 0: the input, 1: the output
  StridedLayout<1> inner;
  int64_t chunk;  ///< elements of an output a block; blockIdx.y says which
  double divisor;

  __device__ index_t begin() const { return blockIdx.y * chunk; }
  __device__ index_t end() const { return begin() + chunk < inner.count ? begin() + chunk : inner.count; }
  __device__ index_t offset(index_t i) const { return inner.rank <= 1 ? i * inner.strides[0][0] : inner.offsets(i)[0]; }

  /// The result of output `o`: where it belongs, or with the others of its chunk where there are several.
  template <class A>
  __device__ void write(A* out, index_t o, A total) const {
    if (gridDim.y > 1)
      out[blockIdx.y * outputs.count + o] = total;
    else if constexpr (std::is_integral_v<A>)
      out[outputs.offsets(o)[1]] = total;
    else
      out[outputs.offsets(o)[1]] = divisor == 1 ? total : static_cast<A>(static_cast<double>(total) / divisor);
  }
};

template <int vector, class T, class A, class Combine>
__device__ A total_of(const Extent& extent, const T* from, int thread, int group, A identity, Combine combine) {
  A totals[vector];
  for (int k = 0; k < vector; ++k) totals[k] = identity;
  const index_t end = extent.end();
  for (index_t i = extent.begin() + thread * vector; i < end; i += group * vector) {
    if constexpr (vector > 1) {
      const Vector<T, vector> more = load_vector<vector>(from + i);
      for (int k = 0; k < vector; ++k) totals[k] = combine(totals[k], percale::convert_to<A>(more[k]));
    } else {
      totals[0] = combine(totals[0], percale::convert_to<A>(from[extent.offset(i)]));
    }
  }
  for (int k = 1; k < vector; ++k) totals[0] = combine(totals[0], totals[k]);
  return totals[0];
}

/// A warp an output: for short ones.
template <int vector, class T, class A, class Combine>
__global__ void reduce_short_kernel(Extent extent, const T* in, A* out, A identity, Combine combine) {
  const index_t o = static_cast<index_t>(blockIdx.x) * row_threads + warp_index();
  if (o >= extent.outputs.count) return;
  const T* from = in + extent.outputs.offsets(o)[0];
  const A total = warp_reduce(total_of<vector>(extent, from, lane_index(), warp_size, identity, combine), combine);
  if (lane_index() == 0) extent.write(out, o, total);
}

/// A block an output and chunk.
template <int vector, class T, class A, class Combine>
__global__ void reduce_long_kernel(Extent extent, const T* in, A* out, A identity, Combine combine) {
  auto& scratch = dynamic_shared<BlockScratch<A>>();
  const index_t o = blockIdx.x;
  const T* from = in + extent.outputs.offsets(o)[0];
  const A own = total_of<vector>(extent, from, static_cast<int>(threadIdx.x), threads, identity, combine);
  const A total = block_reduce(own, combine, identity, scratch);
  if (threadIdx.x == 0) extent.write(out, o, total);
}

template <class A>
struct ColumnTotals {
  A of[row_threads][column_threads];
};

/// A lane an output, neighbours in neighbouring lanes; the block's warps share each output's elements.
template <class T, class A, class Combine>
__global__ void reduce_columns_kernel(Extent extent, const T* in, A* out, A identity, Combine combine) {
  auto& totals = dynamic_shared<ColumnTotals<A>>();
  const int column = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const index_t o = static_cast<index_t>(blockIdx.x) * column_threads + column;
  const bool inside = o < extent.outputs.count;
  A total = identity;
  if (inside) {
    const T* from = in + extent.outputs.offsets(o)[0];
    const index_t end = extent.end();
#pragma unroll 4
    for (index_t i = extent.begin() + row; i < end; i += row_threads)
      total = combine(total, percale::convert_to<A>(from[extent.offset(i)]));
  }
  totals.of[row][column] = total;
  __syncthreads();
  if (row != 0 || !inside) return;
  for (int k = 1; k < row_threads; ++k) total = combine(total, totals.of[k][column]);
  extent.write(out, o, total);
}

/// The largest and where it stands: a warp or a block an output, whose elements are `step` apart.
template <int group, class T, class A>
__global__ void argmax_kernel(StridedLayout<2> outputs, index_t count, index_t step, const T* in, int64_t* out,
                              A lowest) {
  constexpr bool is_block = group > warp_size;
  const index_t o = is_block ? blockIdx.x : static_cast<index_t>(blockIdx.x) * row_threads + warp_index();
  if (o >= outputs.count) return;
  const Offsets<2> at = outputs.offsets(o);
  const int thread = is_block ? static_cast<int>(threadIdx.x) : lane_index();
  const combine::FirstLargest combine;
  const Found<A> nothing{lowest, INT64_MAX};
  Found<A> found = nothing;
  for (index_t i = thread; i < count; i += group)
    found = combine(found, Found<A>{percale::convert_to<A>(in[at[0] + i * step]), i});
  if constexpr (is_block)
    found = block_reduce(found, combine, nothing, dynamic_shared<BlockScratch<Found<A>>>());
  else
    found = warp_reduce(found, combine);
  if (thread == 0) out[at[1]] = found.index;
}

/// A walk as kernels take it; its neighbours are merged already.
template <int N>
void unpack(const StridedWalk<N>& walk, Shape& extents, Strides (&strides)[N]) {
  for (int dim = 0; dim < walk.rank; ++dim) {
    extents.push_back(walk.extents[dim]);
    for (int operand = 0; operand < N; ++operand) strides[operand].push_back(walk.strides[operand][dim]);
  }
}

Extent extent_of(const ReductionPlan& plan, int64_t chunk, double divisor) {
  Shape kept, reduced;
  Strides kept_strides[2], reduced_strides[1];
  unpack(plan.outputs, kept, kept_strides);
  unpack(plan.inner, reduced, reduced_strides);
  while ((plan.inner.count + chunk - 1) / chunk > 65535) chunk *= 2;  // what a grid's y can be
  return {strided_layout(kept, kept_strides[0], kept_strides[1]), strided_layout(reduced, reduced_strides[0]), chunk,
          divisor};
}

/// The walk over the chunks' results, which lie in rows of all outputs.
ReductionPlan plan_of_chunks(ReductionPlan plan, int64_t chunks) {
  int64_t stride = 1;
  for (int dim = plan.outputs.rank - 1; dim >= 0; --dim) {
    plan.outputs.strides[0][dim] = stride;
    stride *= plan.outputs.extents[dim];
  }
  plan.inner = {.rank = 1, .count = chunks, .extents = {chunks}, .strides = {{stride}}};
  return plan;
}

/// 16 bytes a load, where the elements of every output begin so aligned.
template <class T>
bool loads_wide(const Extent& extent, const T* in) {
  bool fits = extent.inner.contiguous && extent.inner.rank == 1 && widest_vector<T>(extent.inner.count, in) == wide<T>;
  for (int dim = 0; dim < extent.outputs.rank; ++dim) fits = fits && extent.outputs.strides[0][dim] % wide<T> == 0;
  return fits;
}

template <class T, class A, class Combine>
void reduce_with(const T* in, A* out, const ReductionPlan& plan, Reduce how, double divisor, Combine combine) {
  const bool columns = plan.by_columns() && plan.outputs.extents[plan.outputs.rank - 1] >= 8;
  const Extent extent = extent_of(plan, columns ? column_length : row_length, divisor);
  const int64_t outputs = extent.outputs.count, chunks = (extent.inner.count + extent.chunk - 1) / extent.chunk;
  const Tensor partial = Tensor::empty({chunks > 1 ? chunks * outputs : 0}, {dtype_of<A>, cuda_device});
  A* target = chunks > 1 ? partial.data<A>() : out;
  const A identity = identity_of<A>(how);
  auto start = [&](auto kernel, int64_t blocks, dim3 block, size_t shared_bytes) {
    launch(kernel, dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(chunks)), block, shared_bytes,
           current_stream(), extent, in, target, identity, combine);
  };
  const bool is_short = extent.inner.count <= 1024 && outputs > 1, vectors = loads_wide(extent, in);
  const int64_t warps = (outputs + row_threads - 1) / row_threads;
  constexpr size_t scratch = sizeof(BlockScratch<A>);
  if (columns) {
    start(reduce_columns_kernel<T, A, Combine>, (outputs + column_threads - 1) / column_threads,
          dim3(column_threads, row_threads), sizeof(ColumnTotals<A>));
  } else if (is_short) {
    if (vectors)
      start(reduce_short_kernel<wide<T>, T, A, Combine>, warps, threads, 0);
    else
      start(reduce_short_kernel<1, T, A, Combine>, warps, threads, 0);
  } else {
    if (vectors)
      start(reduce_long_kernel<wide<T>, T, A, Combine>, outputs, threads, scratch);
    else
      start(reduce_long_kernel<1, T, A, Combine>, outputs, threads, scratch);
  }
  if (chunks > 1) reduce_with<A>(target, out, plan_of_chunks(plan, chunks), how, divisor, combine);
}

}  // namespace

void reduce(const Tensor& in, const Tensor& out, const ReductionPlan& plan, Reduce how, double divisor) {
  visit_reducible(in.dtype(), [&]<class T>() {
    auto with = [&](auto combine) { reduce_with(in.data<T>(), out.data<compute_t<T>>(), plan, how, divisor, combine); };
    if (how == Reduce::sum)
      with(combine::Sum{});
    else if (how == Reduce::max)
      with(combine::Largest{});
    else
      with(combine::Smallest{});
  });
}

void argmax(const Tensor& in, int dim, const Tensor& out) {
  Shape kept = in.shape();
  kept[dim] = 1;
  const StridedLayout<2> outputs = strided_layout(kept, in.strides(), out.strides());
  const int64_t count = in.size(dim), step = in.stride(dim);
  visit_reducible(in.dtype(), [&]<class T>() {
    using A = compute_t<T>;
    const A lowest = identity_of<A>(Reduce::max);
    if (count <= 1024) {
      launch(argmax_kernel<warp_size, T, A>, (outputs.count + row_threads - 1) / row_threads, threads, 0,
             current_stream(), outputs, count, step, in.data<T>(), out.data<int64_t>(), lowest);
    } else {
      launch(argmax_kernel<threads, T, A>, outputs.count, threads, sizeof(BlockScratch<Found<A>>), current_stream(),
             outputs, count, step, in.data<T>(), out.data<int64_t>(), lowest);
    }
  });
}

}  // namespace percale::cuda
