// Blocks of similarities that stay in the second-level cache, and what of them beats a query's k best so far.
#include <algorithm>
#include <cmath>
#include <limits>

#include "../../core/cpu/threads.h"
#include "../common/product.h"
#include "nearest_neighbours_ranking.h"
#include "nearest_neighbours_twins.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/nearest_neighbours/nearest_neighbours_cpu.cpp"
#include <hwy/foreach_target.h>  // before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Turns the dots at `values` into what is ranked, in place.
template <class T>
HWY_INLINE void rank_dots(T* values, const Ranking<T>& by, int64_t count) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> one;
  auto at = [&](auto t, int64_t i) HWY_ATTR {
    auto value = hn::Mul(hn::LoadU(t, values + i), hn::Set(t, by.factor));
    if (by.scale) value = hn::Mul(value, hn::LoadU(t, by.scale + i));
    if (by.offset) value = hn::Add(value, hn::LoadU(t, by.offset + i));
    hn::StoreU(value, t, values + i);
  };
  int64_t i = 0;
  for (; i + static_cast<int64_t>(hn::Lanes(d)) <= count; i += static_cast<int64_t>(hn::Lanes(d))) at(d, i);
  for (; i < count; ++i) at(one, i);
}

/// Writes the positions of the values above `threshold` to `hits`, ascending, and returns how many there are. NaN is
/// above nothing.
template <class T>
HWY_INLINE int64_t above(const T* values, int64_t count, T threshold, int32_t* hits) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto least = hn::Set(d, threshold);
  int64_t found = 0, i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    const auto a = hn::Gt(hn::LoadU(d, values + i), least), b = hn::Gt(hn::LoadU(d, values + i + lanes), least);
    const auto c = hn::Gt(hn::LoadU(d, values + i + 2 * lanes), least);
    const auto e = hn::Gt(hn::LoadU(d, values + i + 3 * lanes), least);
    if (HWY_LIKELY(hn::AllFalse(d, hn::Or(hn::Or(a, b), hn::Or(c, e))))) continue;
    for (int64_t k = i; k < i + 4 * lanes; ++k)
      if (values[k] > threshold) hits[found++] = static_cast<int32_t>(k);
  }
  for (; i < count; ++i)
    if (values[i] > threshold) hits[found++] = static_cast<int32_t>(i);
  return found;
}

template <class T>
HWY_INLINE int64_t select(T* values, const Ranking<T>& by, int64_t count, T threshold, int32_t* hits) {
  if (by.scale || by.offset) rank_dots(values, by, count);
  return above(values, count, threshold, hits);
}

}  // namespace

int64_t select_f32(float* values, const Ranking<float>& by, int64_t count, float threshold, int32_t* hits) {
  return select(values, by, count, threshold, hits);
}
int64_t select_f64(double* values, const Ranking<double>& by, int64_t count, double threshold, int32_t* hits) {
  return select(values, by, count, threshold, hits);
}

/// The sum of squares, in f64 so that no width and no size of elements overflows it.
double squares(const float* row, int64_t width) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    const auto value = hn::PromoteTo(d, hn::LoadU(half, row + i));
    sum = hn::MulAdd(value, value, sum);
  }
  double total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < width; ++i) total += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  return total;
}

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(select_f32);
HWY_EXPORT(select_f64);
HWY_EXPORT(squares);

namespace {

/// Rows a block multiplies with at once, and queries: 256 x 512 similarities in f32 are half a megabyte.
constexpr int64_t block_rows = 512, tile_queries = 256;

/// A row, and how near it is.
template <class T>
struct Neighbour {
  T value;
  int64_t index;

  /// The nearer first, of equals the lower index.
  bool operator<(const Neighbour& other) const {
    return value > other.value || (value == other.value && index < other.index);
  }
};

double squares_of(const double* row, int64_t width) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i) sum += row[i] * row[i];
  return sum;
}

/// One search: all queries against all rows.
template <class T>
struct Search {
  const T *queries, *rows;
  int64_t count, n, width, k;
  Similarity kind;
  int64_t (*select)(T*, const Ranking<T>&, int64_t, T, int32_t*);
  double (*squares)(const T*, int64_t);
  const T* terms = nullptr;          ///< one a row: 1 / |r|, or -|r|^2 / 2
  const T* factors = nullptr;        ///< one a query: 1 / |q|
  int64_t parts = 1, part_rows = 0;  ///< pieces of the rows, so that few queries use many threads too
  Neighbour<T>* found = nullptr;     ///< [count, parts, k]

  T term(const T* row) const {
    const double square = squares(row, width);
    if (kind == Similarity::euclidean) return static_cast<T>(-square / 2);
    return square > 0 ? static_cast<T>(1 / std::sqrt(square)) : T(0);
  }

  Ranking<T> ranking(int64_t query, int64_t first) const {
    if (kind == Similarity::cosine) return {factors[query], terms + first, nullptr};
    return {T(1), nullptr, kind == Similarity::euclidean ? terms + first : nullptr};
  }

  void multiply(int64_t query, int64_t number, int64_t row, int64_t length, T* dots) const {
    Product product{.dtype = dtype_of<T>, .rows = number, .columns = length, .depth = width};
    product.left = queries + query * width;
    product.left_row_step = width;
    product.left_depth_step = 1;
    product.right = rows + row * width;
    product.right_depth_step = 1;
    product.right_column_step = width;
    product.out = dots;
    product.out_row_step = block_rows;
    multiply_piece(product, {number, length, 1, 1}, 0);
  }

  /// `best` is a heap with the worst on top, of `filled` entries.
  void keep(T* dots, int64_t query, int64_t row, int64_t length, Neighbour<T>* best, int64_t filled,
            int32_t* hits) const {
    const T lowest = -std::numeric_limits<T>::infinity();
    const int64_t added = std::min(k - filled, length);
    const T threshold = added > 0 ? lowest : best->value;
    const int64_t above = select(dots, ranking(query, row), length, threshold, hits);
    for (int64_t i = 0; i < added; ++i) {
      best[filled + i] = {std::isnan(dots[i]) ? lowest : dots[i], row + i};
      std::push_heap(best, best + filled + i + 1);
    }
    for (int64_t i = 0; i < above; ++i) {
      const T value = dots[hits[i]];
      if (hits[i] < added || !(value > best->value)) continue;  // an equal one that came before has the lower index
      std::pop_heap(best, best + k);
      best[k - 1] = {value, row + hits[i]};
      std::push_heap(best, best + k);
    }
  }

  void search(int64_t query, int64_t number, int64_t part) const {
    const Tensor block = Tensor::empty({number, block_rows}, {dtype_of<T>, cpu_device});
    int32_t hits[block_rows];
    const int64_t first = part * part_rows, end = std::min(n, first + part_rows);
    for (int64_t row = first; row < end; row += block_rows) {
      const int64_t length = std::min(block_rows, end - row), filled = std::min(k, row - first);
      multiply(query, number, row, length, block.data<T>());
      for (int64_t q = 0; q < number; ++q)
        keep(block.data<T>() + q * block_rows, query + q, row, length, best_of(query + q, part), filled, hits);
    }
    for (int64_t q = 0; q < number; ++q) std::sort_heap(best_of(query + q, part), best_of(query + q, part) + k);
  }

  Neighbour<T>* best_of(int64_t query, int64_t part) const { return found + (query * parts + part) * k; }

  /// The best of all parts, as they are given out.
  void finish(int64_t query, T* similarity, int64_t* index) const {
    Neighbour<T>* best = best_of(query, 0);
    if (parts > 1) std::partial_sort(best, best + k, best + parts * k);
    if (kind == Similarity::euclidean) {
      for (int64_t i = 0; i < k; ++i)
        best[i].value = T(0) - distance(queries + query * width, rows + best[i].index * width);
      std::sort(best, best + k);
    }
    for (int64_t i = 0; i < k; ++i) similarity[i] = best[i].value, index[i] = best[i].index;
  }

  T distance(const T* a, const T* b) const {
    double sum = 0;
    for (int64_t i = 0; i < width; ++i) {
      const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      sum += difference * difference;
    }
    return std::isnan(sum) ? std::numeric_limits<T>::infinity() : static_cast<T>(std::sqrt(sum));
  }
};

template <class T>
void run(Search<T> search, const Tensor& similarity, const Tensor& index) {
  const TensorOptions options{dtype_of<T>, cpu_device};
  const bool scaled = search.kind != Similarity::dot, by_norms = search.kind == Similarity::cosine;
  const Tensor terms = Tensor::empty({scaled ? search.n : 0}, options);
  const Tensor factors = Tensor::empty({by_norms ? search.count : 0}, options);
  const int64_t grain = std::max<int64_t>(65536 / std::max<int64_t>(search.width, 1), 1);
  parallel_for(terms.numel(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) terms.data<T>()[i] = search.term(search.rows + i * search.width);
  });
  for (int64_t i = 0; i < factors.numel(); ++i) factors.data<T>()[i] = search.term(search.queries + i * search.width);
  search.terms = terms.data<T>();
  search.factors = factors.data<T>();
  const int64_t tiles = (search.count + tile_queries - 1) / tile_queries;
  // Parts of some blocks each, and the last one, shorter by `most_parts` at most, still has k rows.
  constexpr int64_t most_parts = 16;
  const int64_t parts = search.n / std::max(4 * block_rows, search.k + most_parts);
  search.parts = std::clamp<int64_t>(parts, 1, std::max<int64_t>(most_parts / tiles, 1));
  search.part_rows = (search.n + search.parts - 1) / search.parts;
  static_assert(sizeof(Neighbour<T>) == 16);
  const Tensor found = Tensor::empty({search.count * search.parts * search.k, 2}, {i64, cpu_device});
  search.found = reinterpret_cast<Neighbour<T>*>(found.data<int64_t>());
  parallel_for(tiles * search.parts, 1, [&](int64_t task, int64_t) {
    const int64_t query = task / search.parts * tile_queries;
    search.search(query, std::min(tile_queries, search.count - query), task % search.parts);
  });
  parallel_for(search.count, std::max<int64_t>(4096 / search.k, 1), [&](int64_t begin, int64_t end) {
    for (int64_t query = begin; query < end; ++query)
      search.finish(query, similarity.data<T>() + query * search.k, index.data<int64_t>() + query * search.k);
  });
}

}  // namespace

void nearest_neighbours(const Tensor& queries, const Tensor& rows, Similarity kind, const Tensor& similarity,
                        const Tensor& index) {
  const int64_t count = queries.size(0), n = rows.size(0), width = rows.size(1), k = index.size(1);
  if (queries.dtype() == f64)
    run(Search<double>{queries.data<double>(), rows.data<double>(), count, n, width, k, kind,
                       HWY_DYNAMIC_DISPATCH(select_f64), squares_of},
        similarity, index);
  else
    run(Search<float>{queries.data<float>(), rows.data<float>(), count, n, width, k, kind,
                      HWY_DYNAMIC_DISPATCH(select_f32), HWY_DYNAMIC_DISPATCH(squares)},
        similarity, index);
}

}  // namespace percale::cpu
#endif
