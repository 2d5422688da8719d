#include "next_rows.h"

#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "next_rows_twins.h"

namespace percale {

NextRows next_rows(const Tensor& order, const Tensor& all_labels, const Tensor& cursor, int64_t batch) {
  const Operation operation{"next_rows"};
  for (const Tensor* tensor : {&order, &all_labels, &cursor})
    require(tensor->rank() == 1 && tensor->dtype() == i64, "next_rows",
            "order, labels and cursor must be [count] of i64, got {} of {}", tensor->shape(), tensor->dtype());
  require(cursor.numel() == 1, "next_rows", "the cursor must be one number, got {}", cursor.shape());
  require(batch >= 1 && batch <= order.numel(), "next_rows", "a batch must have 1 to {} rows, got {}", order.numel(),
          batch);
  require(all_labels.numel() > 0, "next_rows", "there are no labels");
  require_same_device("next_rows", {&order, &all_labels, &cursor});
  const NextRows next{Tensor::empty({batch}, order.options()), Tensor::empty({batch}, order.options())};
  on<cpu::next_rows, cuda::next_rows>(order.device(), order.contiguous(), all_labels.contiguous(), cursor, next.rows,
                                      next.labels);
  cursor.mark_written("next_rows");
  return next;
}

}  // namespace percale
