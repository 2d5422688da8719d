#include <algorithm>
#include <cstring>

#include "../../core/cpu/threads.h"
#include "../common/convert.h"
#include "../common/index_range.h"
#include "index_select_twins.h"

namespace percale::cpu {
namespace {

constexpr int64_t grain_bytes = 128 * 1024;

/// Rows of `bytes` bytes, known to the compiler unless 0.
template <int64_t fixed, class Index>
void gather(const char* from, const Index* index, char* to, const SelectShape& shape, int64_t bytes) {
  const int64_t row_bytes = fixed ? fixed : bytes;
  parallel_for(shape.outer * shape.count, std::max<int64_t>(grain_bytes / row_bytes, 1),
               [&](int64_t begin, int64_t end) {
                 int64_t outer = begin / shape.count, k = begin % shape.count;
                 for (int64_t row = begin; row < end; ++row) {
                   const int64_t source = outer * shape.extent + static_cast<int64_t>(index[k]);
                   std::memcpy(to + row * row_bytes, from + source * row_bytes, static_cast<size_t>(row_bytes));
                   if (++k == shape.count) k = 0, ++outer;
                 }
               });
}

/// For each position of the dimension, where in the index it stands: `order` from starts[e] to starts[e + 1] - 1,
/// ascending.
struct Occurrences {
  Tensor starts, order;

  template <class Index>
  Occurrences(const Index* index, const SelectShape& shape)
      : starts(Tensor::empty({shape.extent + 1}, {i64, cpu_device})),
        order(Tensor::empty({shape.count}, {i64, cpu_device})) {
    int64_t* start = starts.data<int64_t>();
    std::fill_n(start, shape.extent + 1, int64_t{0});
    for (int64_t k = 0; k < shape.count; ++k) ++start[index[k]];
    for (int64_t e = 0, sum = 0; e <= shape.extent; ++e) {
      sum += start[e];
      start[e] = sum;  // the end for now: filling from the back makes it the start
    }
    for (int64_t k = shape.count; k-- > 0;) order.data<int64_t>()[--start[index[k]]] = k;
  }
};

template <class T>
void sum_rows(const T* gradient, const Occurrences& found, T* result, const SelectShape& shape) {
  constexpr int64_t block = 256;
  const int64_t* starts = found.starts.data<int64_t>();
  const int64_t* order = found.order.data<int64_t>();
  const int64_t grain = std::max<int64_t>(32768 / shape.inner, 1);
  parallel_for(shape.outer * shape.extent, grain, [&](int64_t begin, int64_t end) {
    compute_t<T> sums[block];
    for (int64_t row = begin; row < end; ++row) {
      const T* from = gradient + row / shape.extent * shape.count * shape.inner;
      const int64_t e = row % shape.extent;
      for (int64_t column = 0; column < shape.inner; column += block) {
        const int64_t width = std::min(block, shape.inner - column);
        std::fill_n(sums, width, compute_t<T>(0));
        for (int64_t at = starts[e]; at < starts[e + 1]; ++at) {
          const T* values = from + order[at] * shape.inner + column;
          for (int64_t i = 0; i < width; ++i) sums[i] += static_cast<compute_t<T>>(values[i]);
        }
        T* to = result + row * shape.inner + column;
        for (int64_t i = 0; i < width; ++i) to[i] = convert_to<T>(sums[i]);
      }
    }
  });
}

}  // namespace

void index_select(const Tensor& x, const Tensor& index, const Tensor& result, const SelectShape& shape) {
  const auto bytes = shape.inner * static_cast<int64_t>(size_of(x.dtype()));
  const auto* from = static_cast<const char*>(x.data());
  auto* to = static_cast<char*>(result.data());
  visit_index("index_select", index.dtype(), [&]<class Index>() {
    const Index* positions = index.data<Index>();
    check_range("index_select", select_message, positions, index.shape(), shape.extent);
    switch (bytes) {
      case 1:
        return gather<1>(from, positions, to, shape, bytes);
      case 4:
        return gather<4>(from, positions, to, shape, bytes);
      case 8:
        return gather<8>(from, positions, to, shape, bytes);
      default:
        return gather<0>(from, positions, to, shape, bytes);
    }
  });
}

void index_select_gradient(const Tensor& gradient, const Tensor& index, const Tensor& result,
                           const SelectShape& shape) {
  const Occurrences found =
      index.dtype() == i64 ? Occurrences(index.data<int64_t>(), shape) : Occurrences(index.data<int32_t>(), shape);
  visit_floating("index_select", result.dtype(),
                 [&]<class T>() { sum_rows(gradient.data<T>(), found, result.data<T>(), shape); });
}

}  // namespace percale::cpu
