#include "one_hot.h"

#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../reduction/reduction.h"
#include "one_hot_twins.h"

namespace percale {

Tensor one_hot(const Tensor& index, int64_t classes, DType dtype) {
  const Operation operation{"one_hot"};
  require(is_index(index.dtype()), "one_hot", "the index must be of i64 or i32, got {}", index.dtype());
  require(index.rank() < Shape::max_rank, "one_hot", "the index has {} dimensions, {} is the most", index.rank(),
          Shape::max_rank - 1);
  require(classes >= -1 && (classes > 0 || index.numel() == 0 || classes == -1), "one_hot",
          "the number of classes must be positive, or -1, got {}", classes);
  require(classes >= 0 || index.numel() > 0, "one_hot", "an empty index does not tell the number of classes");
  if (classes < 0) classes = std::max<int64_t>(max(index).to(i64).item<int64_t>() + 1, 1);
  Shape shape = index.shape();
  shape.push_back(classes);
  Tensor rows = Tensor::empty(shape, {dtype, index.device()});
  if (rows.numel()) on<cpu::one_hot, cuda::one_hot>(index.device(), index.contiguous(), rows);
  return rows;
}

}  // namespace percale
