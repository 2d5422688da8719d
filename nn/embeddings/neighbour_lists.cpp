#include "neighbour_lists.h"

#include <algorithm>

#include "../../core/autograd.h"
#include "../../kernels/index_select/index_select.h"
#include "../../kernels/nearest_neighbours/nearest_neighbours.h"

namespace percale::embeddings {

Tensor spread_rows(int64_t rows, int64_t most) {
  const int64_t count = std::min(rows, most);
  const Tensor chosen = Tensor::empty({count}, {i64, cpu_device});
  for (int64_t i = 0; i < count; ++i) chosen.data<int64_t>()[i] = i * rows / count;
  return chosen;
}

Tensor neighbours_of(const Tensor& vectors, const Tensor& queries, int64_t k) {
  const NoGradGuard no_grad;
  const Tensor wanted = index_select(vectors, 0, queries);
  const Tensor with_itself = nearest_neighbours(wanted, vectors, k + 1).second.to(cpu_device);
  const Tensor found = Tensor::empty({queries.numel(), k}, {i64, cpu_device});
  for (int64_t i = 0; i < queries.numel(); ++i) {
    const int64_t own = queries.data<int64_t>()[i];
    const int64_t* from = with_itself.data<int64_t>() + i * (k + 1);
    int64_t* to = found.data<int64_t>() + i * k;
    for (int64_t taken = 0; taken < k; ++from)
      if (*from != own) to[taken++] = *from;  // itself comes once at most, so k of k + 1 are left
  }
  return found;
}

}  // namespace percale::embeddings
