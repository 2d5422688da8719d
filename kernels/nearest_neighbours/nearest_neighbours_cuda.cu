// Tiles of similarities by cuBLASLt, each merged into the queries' best so far by a block a query.
#include <limits>

#include "../../core/cuda/blas.h"
#include "../common/device.h"
#include "../common/device_best.h"
#include "../matmul/matmul_layout.h"
#include "nearest_neighbours_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;
/// Every product has as many queries, the last ones of zeros: so that it is cut alike whatever the batch.
constexpr int64_t tile_queries = 256, tile_rows = 16384;

struct Nearer {
  template <class T>
  __device__ bool operator()(const Found<T>& a, const Found<T>& b) const {
    return a.value > b.value || (a.value == b.value && a.index < b.index);
  }
};

/// 1 / |row| or -|row|^2 / 2, by a warp.
template <class T>
__global__ void terms_kernel(const T* rows, T* terms, index_t count, index_t width, bool cosine) {
  const index_t row = static_cast<index_t>(blockIdx.x) * (threads / warp_size) + warp_index();
  if (row >= count) return;
  double square = 0;
  for (index_t i = lane_index(); i < width; i += warp_size) {
    const double element = static_cast<double>(rows[row * width + i]);
    square += element * element;
  }
  square = warp_sum(square);
  if (lane_index() == 0) terms[row] = static_cast<T>(!cosine ? -square / 2 : square > 0 ? 1 / sqrt(square) : 0.0);
}

/// Where a tile of dots stands, and how they become what is ranked: dot * factor * scale + offset.
template <class T>
struct Tile {
  const T* dots;     ///< [tile_queries, length]
  const T* factors;  ///< one a query, or null: 1 / |q|
  const T* scales;   ///< one a row, or null: 1 / |r|
  const T* offsets;  ///< one a row, or null: -|r|^2 / 2
  index_t first_query, first_row, length;

  __device__ Found<T> at(index_t i) const {
    T value = dots[blockIdx.x * length + i];
    if (factors) value = value * factors[first_query + blockIdx.x] * scales[first_row + i];
    if (offsets) value = value + offsets[first_row + i];
    return {value == value ? value : -std::numeric_limits<T>::infinity(), first_row + i};
  }
};

constexpr int most_candidates = 1024;

template <class T>
struct MergeScratch {
  BlockScratch<Found<T>> best;
  BlockScratch<int> counts;
  Found<T> candidates[most_candidates];
};

/// Block q: the `k` best of the old ones (as many as `seen`, in order) and of the tile's row q. What does not beat the
/// last of k old ones is never looked at again.
template <class T>
__global__ void merge_kernel(Tile<T> tile, const T* old_values, const int64_t* old_index, T* values, int64_t* index,
                             index_t k, index_t seen) {
  auto& scratch = dynamic_shared<MergeScratch<T>>();
  const index_t out = (tile.first_query + blockIdx.x) * k;
  const Nearer nearer;
  const bool full = seen == k;
  const Found<T> worst = full ? Found<T>{old_values[out + k - 1], old_index[out + k - 1]} : Found<T>{T(0), no_index};
  int mine = 0;
  for (index_t i = threadIdx.x; i < tile.length; i += threads) mine += comes_before(tile.at(i), worst, nearer) ? 1 : 0;
  int total = 0;
  int place = block_exclusive_sum(mine, total, scratch.counts);
  const bool fits = total <= most_candidates;
  if (fits) {
    for (index_t i = threadIdx.x; i < tile.length; i += threads) {
      const Found<T> here = tile.at(i);
      if (comes_before(here, worst, nearer)) scratch.candidates[place++] = here;
    }
  }
  __syncthreads();
  const index_t fresh = fits ? total : tile.length;
  Found<T> last{T(0), no_index};
  for (index_t j = 0; j < k; ++j) {
    last = best_after(
        last, seen + fresh,
        [&](index_t i) {
          if (i < seen) return Found<T>{old_values[out + i], old_index[out + i]};
          return fits ? scratch.candidates[i - seen] : tile.at(i - seen);
        },
        nearer, scratch.best);
    if (last.index == no_index) break;  // every thread has it
    if (threadIdx.x == 0) values[out + j] = last.value, index[out + j] = last.index;
  }
}

/// Minus the distance of each neighbour, by a warp.
template <class T>
__global__ void distances_kernel(const T* queries, const T* rows, const int64_t* index, T* distances, index_t count,
                                 index_t k, index_t width) {
  const index_t pair = static_cast<index_t>(blockIdx.x) * (threads / warp_size) + warp_index();
  if (pair >= count * k) return;
  const T* query = queries + pair / k * width;
  const T* row = rows + index[pair] * width;
  double sum = 0;
  for (index_t i = lane_index(); i < width; i += warp_size) {
    const double difference = static_cast<double>(query[i]) - static_cast<double>(row[i]);
    sum += difference * difference;
  }
  sum = warp_sum(sum);
  if (lane_index() == 0)
    distances[pair] = sum == sum ? static_cast<T>(0 - sqrt(sum)) : -std::numeric_limits<T>::infinity();
}

/// Puts each query's neighbours in order of their distances: a thread each counts those before its own.
template <class T>
__global__ void order_kernel(const T* distances, const int64_t* index, T* values, int64_t* ordered, index_t count,
                             index_t k) {
  for (index_t pair : grid_stride(count * k)) {
    const index_t first = pair / k * k;
    const Found<T> own{distances[pair], index[pair]};
    index_t place = first;
    for (index_t i = first; i < first + k; ++i) place += Nearer{}(Found<T>{distances[i], index[i]}, own) ? 1 : 0;
    values[place] = own.value;
    ordered[place] = own.index;
  }
}

template <class T>
Tensor terms_of(const Tensor& rows, bool cosine) {
  const Tensor terms = Tensor::empty({rows.size(0)}, rows.options());
  launch(terms_kernel<T>, (rows.size(0) + threads / warp_size - 1) / (threads / warp_size), threads, 0,
         current_stream(), rows.data<T>(), terms.data<T>(), rows.size(0), rows.size(1), cosine);
  return terms;
}

/// dots [tile_queries, length] of the queries with `length` rows from `first` on.
void multiply_tile(const Tensor& queries, const Tensor& rows, int64_t first, int64_t length, const Tensor& dots,
                   const Tensor& workspace) {
  const int64_t width = rows.size(1);
  if (width == 0) return fill(dots, 0);
  MatrixProduct product;
  product.rows = tile_queries;
  product.columns = length;
  product.depth = width;
  product.left = {false, width, 0};
  product.right = {true, width, 0};
  product.dtype = rows.dtype();
  multiply(product, queries.data(), rows.slice(0, first, first + length).data(), nullptr, dots.data(), workspace.data(),
           current_stream());
}

/// Two of each, of which one is read while the other is written.
struct Best {
  Tensor values[2], index[2];
};

/// All rows, for the queries from `query` on. Which of the two holds the result is the same for all.
template <class T>
int search_tile(const Tensor& queries, const Tensor& rows, Tile<T> tile, int64_t number, const Best& best,
                const Tensor& dots, const Tensor& workspace) {
  const int64_t n = rows.size(0), k = best.index[0].size(1);
  int now = 0;
  for (int64_t first = 0; first < n; first += tile_rows) {
    tile.first_row = first;
    tile.length = std::min(tile_rows, n - first);
    multiply_tile(queries, rows, first, tile.length, dots, workspace);
    launch(merge_kernel<T>, number, threads, sizeof(MergeScratch<T>), current_stream(), tile,
           best.values[now].data<T>(), best.index[now].data<int64_t>(), best.values[1 - now].data<T>(),
           best.index[1 - now].data<int64_t>(), k, std::min(first, k));
    now = 1 - now;
  }
  return now;
}

template <class T>
void search(const Tensor& queries, const Tensor& rows, Similarity kind, const Tensor& similarity, const Tensor& index) {
  const int64_t count = queries.size(0), n = rows.size(0), width = rows.size(1), k = index.size(1);
  const TensorOptions options = rows.options();
  const int64_t tiles = (count + tile_queries - 1) / tile_queries;
  const Tensor padded = Tensor::empty({tiles * tile_queries, width}, options);
  fill(padded, 0);
  copy(queries, padded.slice(0, 0, count));
  const bool cosine = kind == Similarity::cosine, euclidean = kind == Similarity::euclidean;
  const Tensor terms = kind == Similarity::dot ? Tensor() : terms_of<T>(rows, cosine);
  const Tensor factors = cosine ? terms_of<T>(queries, true) : Tensor();
  const Tensor dots = Tensor::empty({tile_queries, std::min(n, tile_rows)}, options);
  const Tensor workspace = product_workspace_tensor();
  Best best;
  for (int i = 0; i < 2; ++i) {
    best.values[i] = Tensor::empty({count, k}, options);
    best.index[i] = Tensor::empty({count, k}, index.options());
  }
  int now = 0;
  for (int64_t query = 0; query < count; query += tile_queries) {
    const Tile<T> tile{dots.data<T>(),
                       cosine ? factors.data<T>() : nullptr,
                       cosine ? terms.data<T>() : nullptr,
                       euclidean ? terms.data<T>() : nullptr,
                       query,
                       0,
                       0};
    now = search_tile<T>(padded.slice(0, query, query + tile_queries), rows, tile,
                         std::min(tile_queries, count - query), best, dots, workspace);
  }
  if (!euclidean) {
    copy(best.values[now], similarity);
    copy(best.index[now], index);
    return;
  }
  const Tensor& distances = best.values[1 - now];
  launch(distances_kernel<T>, (count * k + threads / warp_size - 1) / (threads / warp_size), threads, 0,
         current_stream(), queries.data<T>(), rows.data<T>(), best.index[now].data<int64_t>(), distances.data<T>(),
         count, k, width);
  launch(order_kernel<T>, blocks_for(count * k, threads), threads, 0, current_stream(), distances.data<T>(),
         best.index[now].data<int64_t>(), similarity.data<T>(), index.data<int64_t>(), count, k);
}

}  // namespace

void nearest_neighbours(const Tensor& queries, const Tensor& rows, Similarity kind, const Tensor& similarity,
                        const Tensor& index) {
  if (rows.dtype() == f64)
    search<double>(queries, rows, kind, similarity, index);
  else
    search<float>(queries, rows, kind, similarity, index);
}

}  // namespace percale::cuda
