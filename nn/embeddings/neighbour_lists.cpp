#include "neighbour_lists.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "../../kernels/index_select/index_select.h"
#include "../../kernels/matmul/matmul.h"

namespace percale::embeddings {
namespace {

constexpr int64_t most_cosines = 16 << 20;  // 64 MB at a time, never the whole matrix

/// Each row divided by its length; zeros stay zeros.
Tensor unit_rows(const Tensor& vectors) {
  const Tensor unit = Tensor::empty(vectors.shape(), vectors.options());
  const int64_t width = vectors.size(1);
  for (int64_t i = 0; i < vectors.size(0); ++i) {
    const float* from = vectors.data<float>() + i * width;
    double square = 0;
    for (int64_t c = 0; c < width; ++c) square += static_cast<double>(from[c]) * from[c];
    const double factor = square > 0 ? 1 / std::sqrt(square) : 0;
    for (int64_t c = 0; c < width; ++c) unit.data<float>()[i * width + c] = static_cast<float>(from[c] * factor);
  }
  return unit;
}

/// The `k` largest of `cosines`, the largest first and the lower number first among equals, `own` left out.
void largest(const float* cosines, int64_t count, int64_t own, int64_t k, int64_t* rows) {
  std::vector<std::pair<float, int64_t>> best;  // sorted
  best.reserve(static_cast<size_t>(k + 1));
  for (int64_t row = 0; row < count; ++row) {
    const bool full = static_cast<int64_t>(best.size()) == k;
    if (row == own || (full && !(cosines[row] > best.back().first))) continue;
    if (full) best.pop_back();
    const auto place =
        std::find_if(best.begin(), best.end(), [&](const auto& one) { return one.first < cosines[row]; });
    best.insert(place, {cosines[row], row});
  }
  for (size_t i = 0; i < best.size(); ++i) rows[i] = best[i].second;
}

}  // namespace

Tensor spread_rows(int64_t rows, int64_t most) {
  const int64_t count = std::min(rows, most);
  const Tensor chosen = Tensor::empty({count}, {i64, cpu_device});
  for (int64_t i = 0; i < count; ++i) chosen.data<int64_t>()[i] = i * rows / count;
  return chosen;
}

Tensor neighbours_of(const Tensor& vectors, const Tensor& queries, int64_t k) {
  const NoGradGuard no_grad;
  const Tensor unit = unit_rows(vectors), columns = unit.t();
  const int64_t rows = vectors.size(0), count = queries.numel(), block = std::max<int64_t>(most_cosines / rows, 1);
  const Tensor found = Tensor::empty({count, k}, {i64, cpu_device});
  for (int64_t first = 0; first < count; first += block) {
    const int64_t size = std::min(block, count - first);
    const Tensor cosines = matmul(index_select(unit, 0, queries.slice(0, first, first + size)), columns);
    cpu::parallel_for(size, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        largest(cosines.data<float>() + i * rows, rows, queries.data<int64_t>()[first + i], k,
                found.data<int64_t>() + (first + i) * k);
    });
  }
  return found;
}

}  // namespace percale::embeddings
