#include "nearest_labels.h"

#include "../../core/autograd.h"
#include "../../kernels/nearest_neighbours/nearest_neighbours.h"

namespace percale::train {

double nearest_label_accuracy(const Tensor& queries, const Tensor& embeddings, const Tensor& labels) {
  require(embeddings.rank() == 2 && queries.shape() == embeddings.shape() && labels.rank() == 1 &&
              labels.size(0) == embeddings.size(0),
          "nearest_label_accuracy", "expected queries and embeddings [N, width] and labels [N], got {}, {} and {}",
          queries.shape(), embeddings.shape(), labels.shape());
  const int64_t count = embeddings.size(0);
  require(count > 1, "nearest_label_accuracy", "a row needs another one, got {} rows", count);
  const NoGradGuard no_grad;
  const Tensor nearest = nearest_neighbours(queries, embeddings, 2, Similarity::euclidean).second.to(cpu_device);
  const Tensor classes = labels.to(cpu_device).contiguous();
  int64_t right = 0;
  for (int64_t row = 0; row < count; ++row) {
    const int64_t* two = nearest.data<int64_t>() + 2 * row;
    const int64_t other = two[0] == row ? two[1] : two[0];
    right += classes.data<int64_t>()[other] == classes.data<int64_t>()[row];
  }
  return static_cast<double>(right) / static_cast<double>(count);
}

}  // namespace percale::train
