#include "../common/device.h"
#include "next_rows_twins.h"

namespace percale::cuda {
namespace {

constexpr int threads = 256;

struct Shared {
  index_t begin;
};

/// One block: a batch is some hundred rows, and the cursor has one writer.
__global__ void next_rows_kernel(const int64_t* order, index_t total, const int64_t* all_labels, index_t images,
                                 int64_t* cursor, index_t batch, int64_t* rows, int64_t* labels, ErrorReporter past_end,
                                 ErrorReporter no_label) {
  Shared& shared = dynamic_shared<Shared>();
  if (threadIdx.x == 0) {
    const index_t begin = static_cast<index_t>(*cursor);
    const bool inside = begin >= 0 && begin <= total - batch;
    if (!inside) report_bad_index(past_end, 0, begin + batch - 1, total);
    shared.begin = inside ? begin : 0;
  }
  __syncthreads();
  for (index_t i = threadIdx.x; i < batch; i += threads) {
    const index_t row = checked_index(no_label, i, order[shared.begin + i], images);
    rows[i] = row;
    labels[i] = all_labels[row];
  }
  __syncthreads();
  if (threadIdx.x == 0 && !has_error(past_end.record)) *cursor = shared.begin + batch;
}

}  // namespace

void next_rows(const Tensor& order, const Tensor& all_labels, const Tensor& cursor, const Tensor& rows,
               const Tensor& labels) {
  const ErrorReporter past_end = error_reporter("next_rows", Shape{}, current_stream(), past_end_message);
  const ErrorReporter no_label = error_reporter("next_rows", rows.shape(), current_stream(), no_label_message);
  launch(next_rows_kernel, 1, threads, sizeof(Shared), current_stream(), order.data<int64_t>(), order.numel(),
         all_labels.data<int64_t>(), all_labels.numel(), cursor.data<int64_t>(), rows.numel(), rows.data<int64_t>(),
         labels.data<int64_t>(), past_end, no_label);
}

}  // namespace percale::cuda
