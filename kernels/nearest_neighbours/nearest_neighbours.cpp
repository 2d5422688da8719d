#include "nearest_neighbours.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../common/dense.h"
#include "nearest_neighbours_twins.h"

namespace percale {

std::pair<Tensor, Tensor> nearest_neighbours(const Tensor& queries, const Tensor& rows, int64_t k,
                                             Similarity similarity) {
  constexpr const char* name = "nearest_neighbours";
  const Operation operation{name};
  require(queries.rank() == 2 && rows.rank() == 2 && queries.size(1) == rows.size(1), name,
          "queries must be [count, width] and rows [n, width], got {} and {}", queries.shape(), rows.shape());
  require(is_floating(queries.dtype()) && queries.dtype() == rows.dtype(), name,
          "queries and rows must be floating-point and of one dtype, got {} and {}", queries.dtype(), rows.dtype());
  require_same_device(name, {&queries, &rows});
  require(k >= 1 && k <= rows.size(0), name, "k must be 1 to the number of rows, {}, got {}", rows.size(0), k);
  const NoGradGuard no_grad;
  const DType compute = compute_dtype(queries.dtype());
  const Shape shape{queries.size(0), k};
  const Tensor found = Tensor::empty(shape, {compute, queries.device()});
  const Tensor index = Tensor::empty(shape, {i64, queries.device()});
  if (found.numel())
    on<cpu::nearest_neighbours, cuda::nearest_neighbours>(queries.device(), queries.detach().to(compute).contiguous(),
                                                          rows.detach().to(compute).contiguous(), similarity, found,
                                                          index);
  return {found.to(queries.dtype()), index};
}

}  // namespace percale
