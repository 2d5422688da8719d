#include "embedding.h"

#include <algorithm>

#include "../../core/dispatch.h"
#include "../../core/primitives.h"
#include "../../core/trace.h"
#include "../cat/cat.h"
#include "../elementwise/elementwise.h"
#include "../fill/fill.h"
#include "embedding_twins.h"

namespace percale {
namespace {

Shape rows_shape(const Tensor& index, int64_t width) {
  Shape shape = index.shape();
  shape.push_back(width);
  return shape;
}

Tensor gather(const Tensor& table, const Tensor& index) {
  Tensor rows = Tensor::empty(rows_shape(index, table.size(1)), table.options());
  if (index.numel()) on<cpu::gather_rows, cuda::gather_rows>(table.device(), table, index, rows);
  return rows;
}

void check(const Tensor& table, const Tensor& index, const EmbeddingOptions& options) {
  require(table.rank() == 2 && is_floating(table.dtype()), "embedding",
          "the table must be [rows, width] of a floating dtype, got {} of {}", table.shape(), table.dtype());
  require(is_index(index.dtype()), "embedding", "the index must be of i64 or i32, got {}", index.dtype());
  require(index.rank() < Shape::max_rank, "embedding", "the index has {} dimensions, {} is the most", index.rank(),
          Shape::max_rank - 1);
  require_same_device("embedding", {&table, &index});
  require(table.size(0) > 0 || index.numel() == 0, "embedding", "{} entries cannot name rows of an empty table",
          index.numel());
  require(!options.sparse || table.dtype() == f32 || table.dtype() == f64, "embedding",
          "a sparse gradient needs a table of f32 or f64, got {}", table.dtype());
  require(!options.max_norm || (*options.max_norm >= 0 && options.norm_type > 0), "embedding",
          "max_norm cannot be negative and norm_type must be positive, got {} and {}", options.max_norm.value_or(0),
          options.norm_type);
}

}  // namespace

Tensor without_padding(const Tensor& index, int64_t padding) {
  return padding < 0 ? index : where(eq(index, static_cast<double>(padding)), full({}, -1, index.options()), index);
}

int64_t padding_row(const char* operation, const Tensor& table, const std::optional<int64_t>& padding_idx) {
  if (!padding_idx) return -1;
  const int64_t row = *padding_idx, rows = table.size(0);
  require(row >= -rows && row < rows, operation, "padding_idx {} is out of range for a table of {} rows", row, rows);
  return row < 0 ? row + rows : row;
}

Tensor embedding_gradient(const Tensor& upstream, const Tensor& index, int64_t count, int64_t padding) {
  const Operation operation{"embedding_gradient"};
  const int64_t width = upstream.size(-1);
  Tensor gradient = Tensor::empty({count, width}, upstream.options());
  if (!upstream.numel())
    fill(gradient, 0);
  else
    on<cpu::sum_rows, cuda::sum_rows>(upstream.device(), upstream.detach().contiguous(),
                                      without_padding(index, padding), gradient);
  return record("EmbeddingDenseBackwardBackward0", gradient, {upstream}, saved(index),
                [padding](const Tensors& gradients, const Saved& saved) -> Tensors {
                  const Tensor rows = embedding(gradients[0], saved[0]);
                  if (padding < 0) return {rows};
                  return {mul(rows, ne(saved[0], static_cast<double>(padding)).unsqueeze(-1).to(rows.dtype()))};
                });
}

Tensor embedding(const Tensor& table, const Tensor& index, const EmbeddingOptions& options) {
  const Operation operation{"embedding"};
  check(table, index, options);
  const int64_t padding = padding_row("embedding", table, options.padding_idx);
  const Tensor source = table.detach().contiguous(), positions = index.contiguous();
  if (options.max_norm && positions.numel()) {
    require(table.is_contiguous(), "embedding", "max_norm writes into the table, which must be contiguous");
    on<cpu::renormalise_rows, cuda::renormalise_rows>(table.device(), source, positions, *options.max_norm,
                                                      options.norm_type);
    table.mark_written("embedding");
  }
  const Tensor rows = gather(source, positions);
  if (options.sparse)
    return record_rows("EmbeddingBackward0", rows, table, without_padding(positions, padding).reshape({-1}), {},
                       [width = table.size(1)](const Tensors& gradients, const Saved&) -> Tensors {
                         return {gradients[0].reshape({-1, width})};
                       });
  return record("EmbeddingBackward0", rows, {table}, saved(positions),
                [count = table.size(0), padding](const Tensors& gradients, const Saved& saved) -> Tensors {
                  return {embedding_gradient(gradients[0], saved[0], count, padding)};
                });
}

RowGradient coalesced_row_gradient(const Tensor& table) {
  const Operation operation{"coalesced_row_gradient"};
  const NoGradGuard no_grad;
  Tensors indices, rows;
  for (const RowGradient& part : row_gradients(table)) {
    indices.push_back(part.index.to(i64));
    rows.push_back(part.rows);
  }
  if (indices.empty()) return {};
  const Tensor index = cat(indices), here = index.to(cpu_device);
  std::vector<int64_t> ids(here.data<int64_t>(), here.data<int64_t>() + here.numel());
  std::sort(ids.begin(), ids.end());
  ids.erase(ids.begin(), std::lower_bound(ids.begin(), ids.end(), int64_t{0}));
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const Tensor places = Tensor::empty_like(here);
  for (int64_t i = 0; i < here.numel(); ++i) {
    const auto place = std::lower_bound(ids.begin(), ids.end(), here.data<int64_t>()[i]);
    places.data<int64_t>()[i] = here.data<int64_t>()[i] < 0 ? -1 : place - ids.begin();
  }
  const auto count = static_cast<int64_t>(ids.size());
  const Tensor found = Tensor::empty({count}, {i64, cpu_device});
  std::copy(ids.begin(), ids.end(), found.data<int64_t>());
  return {found.to(table.device()), embedding_gradient(cat(rows), places.to(table.device()), count, -1)};
}

}  // namespace percale
