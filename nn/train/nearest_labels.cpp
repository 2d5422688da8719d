#include "nearest_labels.h"

#include <algorithm>
#include <cmath>

#include "../../core/autograd.h"
#include "../../kernels/elementwise/elementwise.h"
#include "../../kernels/fill/fill.h"
#include "../../kernels/index_select/index_select.h"
#include "../../kernels/matmul/matmul.h"
#include "../../kernels/reduction/reduction.h"

namespace percale::train {

double nearest_label_accuracy(const Tensor& queries, const Tensor& embeddings, const Tensor& labels) {
  require(embeddings.rank() == 2 && queries.shape() == embeddings.shape() && labels.rank() == 1 &&
              labels.size(0) == embeddings.size(0),
          "nearest_label_accuracy", "expected queries and embeddings [N, width] and labels [N], got {}, {} and {}",
          queries.shape(), embeddings.shape(), labels.shape());
  const int64_t count = embeddings.size(0);
  require(count > 1, "nearest_label_accuracy", "a row needs another one, got {} rows", count);
  constexpr int64_t block = 256;
  const NoGradGuard no_grad;
  const Tensor rows = embeddings.to(f64), half_squares = mul(sum(mul(rows, rows), {1}), 0.5);
  const Tensor columns = arange(count, {i64, rows.device()});
  int64_t right = 0;
  for (int64_t begin = 0; begin < count; begin += block) {
    const int64_t end = std::min(count, begin + block);
    // |q - e|^2 / 2 without |q|^2 / 2, which is the same for all e.
    const Tensor distance = sub(half_squares, matmul(queries.slice(0, begin, end).to(f64), rows.transpose(0, 1)));
    const Tensor itself = eq(columns, columns.slice(0, begin, end).unsqueeze(1));
    const Tensor nearest = argmax(neg(where(itself, full({}, INFINITY, {f64, rows.device()}), distance)), 1);
    const Tensor same = eq(index_select(labels, 0, nearest), labels.slice(0, begin, end));
    right += sum(same).item<int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(count);
}

}  // namespace percale::train
