#include <algorithm>

#include "../common/index_range.h"
#include "next_rows_twins.h"

namespace percale::cpu {

void next_rows(const Tensor& order, const Tensor& all_labels, const Tensor& cursor, const Tensor& rows,
               const Tensor& labels) {
  const int64_t batch = rows.numel(), total = order.numel(), images = all_labels.numel();
  int64_t& position = *cursor.data<int64_t>();
  require(position >= 0 && position <= total - batch, "next_rows",
          "row {} of the order is past its end: it has {} rows", position + batch - 1, total);
  const int64_t* from = order.data<int64_t>() + position;
  const int64_t* label = all_labels.data<int64_t>();
  check_range("next_rows", no_label_message, from, rows.shape(), images);
  for (int64_t i = 0; i < batch; ++i) {
    rows.data<int64_t>()[i] = from[i];
    labels.data<int64_t>()[i] = label[from[i]];
  }
  position += batch;
}

}  // namespace percale::cpu
