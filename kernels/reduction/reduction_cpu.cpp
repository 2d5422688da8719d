// Reductions on the CPU. Elements go to 256 bytes' worth of lanes by their position, whatever the instruction set, and
// at most 64 of them to a lane before lanes are added up and blocks go on in f64: so the bytes are the same on every
// machine, and an f32 sum is off by no more than 70 roundings of f32 relative to the sum of absolute values.
#include <algorithm>

#include "../common/convert.h"
#include "reduction_plan.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "percale/kernels/reduction/reduction_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "../common/vector_reduce-inl.h"

#ifndef PERCALE_REDUCTION_FUNCTIONS
#define PERCALE_REDUCTION_FUNCTIONS
namespace percale::cpu {

/// The loops of one reduction, for one instruction set. T is float, double or int64_t.
template <class T>
struct ReductionFunctions {
  T (*row)(const T* data, int64_t count);  ///< of `count` >= 1 neighbours
  /// of `width` columns (at most `strip`), each over `rows` >= 1 rows that are `stride` apart
  void (*columns)(const T* data, int64_t stride, int64_t rows, int64_t width, T* results);
  int64_t (*find)(const T* data, int64_t count, T value);  ///< the first that equals `value` (or is NaN, as it is)
};

constexpr int64_t strip = 64;

}  // namespace percale::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace percale::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class Combine, class T>
T reduce_row(const T* data, int64_t count) {
  constexpr int64_t own = simd::row_lanes<T>;
  if (count < own) {
    T result = data[0];
    for (int64_t i = 1; i < count; ++i) result = Combine::of(result, data[i]);
    return result;
  }
  const hn::CappedTag<T, 16> d;
  constexpr int64_t width = hn::MaxLanes(d), vectors = own / width;
  hn::Vec<decltype(d)> totals[vectors];
  for (int64_t k = 0; k < vectors; ++k) totals[k] = hn::LoadU(d, data + k * width);
  int64_t i = own;
  for (; i + own <= count; i += own)
    for (int64_t k = 0; k < vectors; ++k)
      totals[k] = Combine::of_vectors(totals[k], hn::LoadU(d, data + i + k * width));
  HWY_ALIGN T each[own];
  for (int64_t k = 0; k < vectors; ++k) hn::Store(totals[k], d, each + k * width);
  for (int64_t k = 0; i + k < count; ++k) each[k] = Combine::of(each[k], data[i + k]);
  return simd::fold_lanes<Combine>(each, own);
}

/// `vectors` vectors' columns at a time, so that the totals stay in registers.
template <class Combine, int64_t vectors, class T>
int64_t reduce_some_columns(const T* data, int64_t stride, int64_t rows, int64_t width, int64_t column, T* results) {
  const hn::CappedTag<T, 16> d;
  constexpr int64_t each = hn::MaxLanes(d);
  for (; column + vectors * each <= width; column += vectors * each) {
    hn::Vec<decltype(d)> totals[vectors];
    const T* from = data + column;
    for (int64_t k = 0; k < vectors; ++k) totals[k] = hn::LoadU(d, from + k * each);
    for (int64_t row = 1; row < rows; ++row) {
      from += stride;
      for (int64_t k = 0; k < vectors; ++k) totals[k] = Combine::of_vectors(totals[k], hn::LoadU(d, from + k * each));
    }
    for (int64_t k = 0; k < vectors; ++k) hn::StoreU(totals[k], d, results + column + k * each);
  }
  return column;
}

template <class Combine, class T>
void reduce_columns(const T* data, int64_t stride, int64_t rows, int64_t width, T* results) {
  int64_t column = reduce_some_columns<Combine, 4>(data, stride, rows, width, 0, results);
  column = reduce_some_columns<Combine, 1>(data, stride, rows, width, column, results);
  constexpr int64_t each = hn::MaxLanes(hn::CappedTag<T, 16>());
  if (column < width && width >= each)  // the last vector once more over columns that are done: to the same results
    column = reduce_some_columns<Combine, 1>(data, stride, rows, width, width - each, results);
  for (; column < width; ++column) {
    T total = data[column];
    for (int64_t row = 1; row < rows; ++row) total = Combine::of(total, data[row * stride + column]);
    results[column] = total;
  }
}

template <class T>
int64_t find_first(const T* data, int64_t count, T value) {
  const hn::CappedTag<T, 16> d;
  constexpr int64_t width = hn::MaxLanes(d);
  const auto wanted = hn::Set(d, value);
  int64_t i = 0;
  if constexpr (hwy::IsFloat<T>()) {
    for (; i + width <= count && value != value; i += width)
      if (!hn::AllFalse(d, hn::IsNaN(hn::LoadU(d, data + i)))) break;
  }
  for (; i + width <= count && value == value; i += width)
    if (!hn::AllFalse(d, hn::Eq(hn::LoadU(d, data + i), wanted))) break;
  while (i < count && data[i] != value && (data[i] == data[i] || value == value)) ++i;
  return i;
}

template <class T>
ReductionFunctions<T> functions_for(Reduce how) {
  if (how == Reduce::sum) return {reduce_row<simd::Sum, T>, reduce_columns<simd::Sum, T>, find_first<T>};
  if (how == Reduce::max) return {reduce_row<simd::Largest, T>, reduce_columns<simd::Largest, T>, find_first<T>};
  return {reduce_row<simd::Smallest, T>, reduce_columns<simd::Smallest, T>, find_first<T>};
}
ReductionFunctions<float> functions_f32(Reduce how) { return functions_for<float>(how); }
ReductionFunctions<double> functions_f64(Reduce how) { return functions_for<double>(how); }
ReductionFunctions<int64_t> functions_i64(Reduce how) { return functions_for<int64_t>(how); }

}  // namespace percale::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace percale::cpu {
HWY_EXPORT(functions_f32);
HWY_EXPORT(functions_f64);
HWY_EXPORT(functions_i64);

namespace {

constexpr int64_t grain = 65536;  // elements a piece of work
constexpr int64_t tile_rows = 64;
constexpr int64_t tile = 64 * strip;  // elements reduced in their own type before they join the total

template <class T>
ReductionFunctions<T> functions(Reduce how) {
  if constexpr (std::is_same_v<T, float>)
    return HWY_DYNAMIC_DISPATCH(functions_f32)(how);
  else if constexpr (std::is_same_v<T, double>)
    return HWY_DYNAMIC_DISPATCH(functions_f64)(how);
  else
    return HWY_DYNAMIC_DISPATCH(functions_i64)(how);
}

/// Blocks are added up in f64.
template <class T>
using total_t = std::conditional_t<std::is_same_v<T, float>, double, T>;

template <class T>
void join(T& total, T more, Reduce how) {
  if (how == Reduce::sum)
    total += more;
  else if (more != more || (how == Reduce::max ? more > total : more < total))
    total = more;
}

/// Where the `index`-th element of a walk stands in `operand`.
template <int N>
int64_t offset_in(const StridedWalk<N>& walk, int operand, int64_t index) {
  if (walk.rank <= 1) return walk.rank ? index * walk.strides[operand][0] : 0;
  int64_t offset = 0;
  for (int dim = walk.rank - 1; dim >= 0; --dim) {
    offset += index % walk.extents[dim] * walk.strides[operand][dim];
    index /= walk.extents[dim];
  }
  return offset;
}

/// The walk without its innermost dimension.
template <int N>
StridedWalk<N> without_innermost(StridedWalk<N> walk) {
  walk.count /= walk.extents[--walk.rank];
  return walk;
}

/// A reduction whose shape, types and loops are settled. T: elements, A: what they are combined in.
template <class T>
struct Reduction {
  using A = compute_t<T>;
  using Total = total_t<A>;

  const T* in;
  A* out;
  const ReductionPlan& plan;
  Reduce how;
  double divisor;
  ReductionFunctions<A> loops = functions<A>(how);

  void write(int64_t output, Total total) const {
    A& target = out[offset_in(plan.outputs, 1, output)];
    if constexpr (std::is_integral_v<A>)
      target = total;
    else
      target = static_cast<A>(how == Reduce::sum ? total / divisor : total);
  }

  /// Elements [begin, begin + count) of the inner walk, in a row.
  const A* gathered(const T* from, int64_t begin, int64_t count, A* buffer) const {
    const auto& inner = plan.inner;
    if constexpr (std::is_same_v<T, A>)
      if (inner.is_dense()) return from + begin;
    const int last = inner.rank - 1;
    const int64_t extent = inner.rank ? inner.extents[last] : 1, step = inner.rank ? inner.strides[0][last] : 1;
    for (int64_t done = 0; done < count;) {
      const int64_t at = (begin + done) % extent, run = std::min(extent - at, count - done);
      const T* start = from + offset_in(inner, 0, begin + done);
      for (int64_t i = 0; i < run; ++i) buffer[done + i] = convert_to<A>(start[i * step]);
      done += run;
    }
    return buffer;
  }

  Total row(const T* from, int64_t begin, int64_t end) const {
    A buffer[tile];
    Total total = identity_of<Total>(how);
    for (int64_t at = begin; at < end; at += tile) {
      const int64_t count = std::min(tile, end - at);
      join(total, static_cast<Total>(loops.row(gathered(from, at, count, buffer), count)), how);
    }
    return total;
  }

  /// Each output's elements lie closer together than outputs do.
  void by_rows() const {
    const int64_t outputs = plan.outputs.count, length = plan.inner.count, chunks = (length + grain - 1) / grain;
    const int64_t many = std::max<int64_t>(grain / length, 1);
    if (chunks == 1) {
      parallel_for(outputs, many, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) write(i, row(in + offset_in(plan.outputs, 0, i), 0, length));
      });
      return;
    }
    const Tensor workspace = Tensor::empty({outputs * chunks}, {dtype_of<Total>, cpu_device});
    Total* partial = workspace.data<Total>();
    parallel_for(outputs * chunks, 1, [&](int64_t item, int64_t) {
      const int64_t begin = item % chunks * grain;
      partial[item] = row(in + offset_in(plan.outputs, 0, item / chunks), begin, std::min(begin + grain, length));
    });
    for (int64_t i = 0; i < outputs; ++i) {
      for (int64_t k = 1; k < chunks; ++k) join(partial[i * chunks], partial[i * chunks + k], how);
      write(i, partial[i * chunks]);
    }
  }

  /// `width` columns from `from` on, over rows [begin, end) of the inner walk. Narrow rows that follow each other in
  /// memory are taken several at once.
  void columns(const T* from, int64_t step, int64_t width, int64_t begin, int64_t end, Total* totals) const {
    const auto& inner = plan.inner;
    const bool direct = std::is_same_v<T, A> && step == 1 && inner.rank == 1;
    const int64_t stride = direct ? inner.strides[0][0] : strip, most = direct && stride == width ? strip / width : 1;
    A buffer[tile_rows * strip], results[strip];
    for (int64_t at = begin, rows; at < end; at += rows) {
      const int64_t together = end - at >= most ? most : 1;
      rows = std::min(tile_rows, (end - at) / together) * together;
      const A* data = buffer;
      if constexpr (std::is_same_v<T, A>)
        if (direct) data = from + at * stride;
      for (int64_t r = 0; r < rows && !direct; ++r) {
        const T* start = from + offset_in(inner, 0, at + r);
        for (int64_t c = 0; c < width; ++c) buffer[r * strip + c] = convert_to<A>(start[c * step]);
      }
      loops.columns(data, stride * together, rows / together, width * together, results);
      for (int64_t k = 0; k < together; ++k)
        for (int64_t c = 0; c < width; ++c) join(totals[c], static_cast<Total>(results[k * width + c]), how);
    }
  }

  /// Outputs lie closer together than each one's elements do: strips of neighbours advance together.
  void by_columns() const {
    const int last = plan.outputs.rank - 1;
    const int64_t extent = plan.outputs.extents[last], step = plan.outputs.strides[0][last], all = plan.outputs.count;
    const auto outer = without_innermost(plan.outputs);
    const int64_t strips = (extent + strip - 1) / strip, rows = plan.inner.count, width = std::min(extent, strip);
    const int64_t chunk = (grain / width + tile_rows - 1) / tile_rows * tile_rows, chunks = (rows + chunk - 1) / chunk;
    const int64_t many = std::max<int64_t>(grain / (std::min(chunk, rows) * width), 1);
    const Tensor workspace = Tensor::empty({chunks > 1 ? chunks * all : 0}, {dtype_of<Total>, cpu_device});
    Total* partial = workspace.data<Total>();
    parallel_for(outer.count * strips * chunks, many, [&](int64_t first, int64_t past) {
      for (int64_t item = first; item < past; ++item) {
        const int64_t part = item % chunks, column = item / chunks % strips * strip, group = item / chunks / strips;
        const int64_t here = std::min(strip, extent - column), begin = part * chunk, output = group * extent + column;
        Total own[strip];
        Total* totals = chunks > 1 ? partial + part * all + output : own;
        std::fill_n(totals, here, identity_of<Total>(how));
        columns(in + offset_in(outer, 0, group) + column * step, step, here, begin, std::min(begin + chunk, rows),
                totals);
        for (int64_t c = 0; c < here && chunks == 1; ++c) write(output + c, own[c]);
      }
    });
    for (int64_t i = 0; i < all && chunks > 1; ++i) {
      for (int64_t k = 1; k < chunks; ++k) join(partial[i], partial[k * all + i], how);
      write(i, partial[i]);
    }
  }
};

/// The first largest of `count` elements `step` apart; NaN is larger than any.
template <class T>
int64_t first_largest(const T* data, int64_t step, int64_t count, const ReductionFunctions<compute_t<T>>& loops) {
  using A = compute_t<T>;
  if constexpr (std::is_same_v<T, A>)
    if (step == 1 && count >= 64) return loops.find(data, count, loops.row(data, count));
  int64_t found = 0;
  A largest = convert_to<A>(data[0]);
  for (int64_t i = 1; i < count && largest == largest; ++i) {
    const A value = convert_to<A>(data[i * step]);
    if (value > largest || value != value) largest = value, found = i;
  }
  return found;
}

}  // namespace

void reduce(const Tensor& in, const Tensor& out, const ReductionPlan& plan, Reduce how, double divisor) {
  visit_reducible(in.dtype(), [&]<class T>() {
    const Reduction<T> reduction{in.data<T>(), out.data<compute_t<T>>(), plan, how, divisor};
    if (plan.by_columns())
      reduction.by_columns();
    else
      reduction.by_rows();
  });
}

void argmax(const Tensor& in, int dim, const Tensor& out) {
  Shape kept = in.shape();
  kept[dim] = 1;
  const auto outputs = strided_walk<2>(kept, {out.strides(), in.strides()});
  const int64_t count = in.size(dim), step = in.stride(dim);
  visit_reducible(in.dtype(), [&]<class T>() {
    const auto loops = functions<compute_t<T>>(Reduce::max);
    parallel_for(outputs.count, std::max<int64_t>(grain / count, 1), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        out.data<int64_t>()[offset_in(outputs, 0, i)] =
            first_largest(in.data<T>() + offset_in(outputs, 1, i), step, count, loops);
    });
  });
}

}  // namespace percale::cpu
#endif
