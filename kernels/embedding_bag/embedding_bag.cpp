#include "embedding_bag.h"

#include "../../core/autograd.h"
#include "../../core/dispatch.h"
#include "../../core/trace.h"
#include "../elementwise/elementwise.h"
#include "../embedding/embedding.h"
#include "../fill/fill.h"
#include "../index_select/index_select.h"
#include "../reduction/reduction.h"
#include "embedding_bag_twins.h"

namespace percale {
namespace {

void check(const Tensor& table, const Tensor& index, const Tensor& offsets, const EmbeddingBagOptions& options) {
  const char* operation = "embedding_bag";
  require(table.rank() == 2 && (table.dtype() == f32 || table.dtype() == f64), operation,
          "the table must be [rows, width] of f32 or f64, got {} of {}", table.shape(), table.dtype());
  require(is_index(index.dtype()), operation, "the index must be of i64 or i32, got {}", index.dtype());
  require_same_device(operation, {&table, &index});
  require(table.size(0) > 0 || index.numel() == 0, operation, "{} entries cannot name rows of an empty table",
          index.numel());
  if (offsets.defined()) {
    require(index.rank() == 1, operation, "with offsets the index must be [count], got {}", index.shape());
    require(offsets.rank() == 1 && is_index(offsets.dtype()), operation,
            "offsets must be [bags] of i64 or i32, got {} of {}", offsets.shape(), offsets.dtype());
    require(offsets.size(0) > (options.include_last_offset || index.numel() ? 0 : -1), operation,
            "{} entries need an offset at least", index.numel());
    require_same_device(operation, {&table, &offsets});
  } else {
    require(index.rank() == 2, operation, "without offsets the index must be [bags, length], got {}", index.shape());
  }
  const Tensor& weights = options.per_sample_weights;
  if (!weights.defined()) return;
  require(options.mode == BagMode::sum, operation, "per_sample_weights go with the sum alone");
  require(weights.shape() == index.shape() && weights.dtype() == table.dtype(), operation,
          "per_sample_weights must have the index's shape {} and the table's dtype {}, got {} of {}", index.shape(),
          table.dtype(), weights.shape(), weights.dtype());
  require_same_device(operation, {&table, &weights});
}

/// i64 [bags + 1]: where each bag begins, and where the last one ends.
Tensor starts_of(const Tensor& index, const Tensor& offsets, bool ended) {
  const int64_t bags = offsets.defined() ? offsets.size(0) - (ended ? 1 : 0) : index.size(0);
  Tensor starts = Tensor::empty({bags + 1}, {i64, index.device()});
  if (offsets.defined())
    on<cpu::bag_starts, cuda::bag_starts>(index.device(), offsets.contiguous(), index.numel(), ended, starts);
  else
    on<cpu::even_starts, cuda::even_starts>(index.device(), index.size(1), starts);
  return starts;
}

/// What each entry's row gains, [count, width], by operations: so that it can be derived again.
Tensor entry_gradients(const Tensor& upstream, const Tensor& bag, const Tensor& entry, const Tensor& weights,
                       const Tensor& sizes, const Tensor& chosen, BagMode mode) {
  const Tensor rows = index_select(upstream, 0, bag);
  if (weights.defined()) return mul(rows, weights.reshape({-1, 1}));
  if (mode == BagMode::mean) return div(rows, index_select(sizes, 0, bag).unsqueeze(1));
  if (mode == BagMode::sum) return rows;
  return mul(rows, eq(index_select(chosen, 0, bag), entry.unsqueeze(1)).to(rows.dtype()));
}

}  // namespace

Tensor embedding_bag(const Tensor& table, const Tensor& index, const Tensor& offsets,
                     const EmbeddingBagOptions& options) {
  const Operation operation{"embedding_bag"};
  check(table, index, offsets, options);
  require(!options.sparse || options.mode != BagMode::max, "embedding_bag",
          "a sparse gradient goes with sum and mean alone");
  const int64_t padding = padding_row("embedding_bag", table, options.padding_idx);
  const Tensor entries = index.contiguous().view({-1}), weights = options.per_sample_weights;
  const Tensor starts = starts_of(index, offsets, options.include_last_offset);
  const int64_t count = starts.size(0) - 1, width = table.size(1);
  const Bagged result{
      .rows = Tensor::empty({count, width}, table.options()),
      .sizes = Tensor::empty({count}, table.options()),
      .chosen = options.mode == BagMode::max ? Tensor::empty({count, width}, {i64, table.device()}) : Tensor()};
  const Bags bags{.table = table.detach().contiguous(),
                  .index = entries,
                  .weights = weights.defined() ? weights.detach().contiguous() : Tensor(),
                  .starts = starts,
                  .padding = padding,
                  .index_shape = index.shape(),
                  .mode = options.mode};
  if (count) on<cpu::reduce_bags, cuda::reduce_bags>(table.device(), bags, result);
  const Tensor bag = Tensor::empty({entries.numel()}, {i64, table.device()}), entry = Tensor::empty_like(bag);
  if (should_record({table, weights}) && bag.numel())
    on<cpu::number_entries, cuda::number_entries>(table.device(), starts, bag, entry);

  if (options.sparse) {
    require(!weights.defined() || !weights.requires_grad(), "embedding_bag",
            "a sparse gradient leaves none for the weights");
    return record_rows("EmbeddingBagBackward0", result.rows, table, without_padding(entries, padding),
                       saved(bag, weights, result.sizes),
                       [mode = options.mode](const Tensors& gradients, const Saved& saved) -> Tensors {
                         return {entry_gradients(gradients[0], saved[0], {}, saved[1], saved[2], {}, mode)};
                       });
  }
  return record(
      "EmbeddingBagBackward0", result.rows, {table, weights},
      saved(table, entries, bag, weights, result.sizes, result.chosen, entry),
      [mode = options.mode, padding, rows = table.size(0)](const Tensors& gradients, const Saved& saved) -> Tensors {
        const Tensor entries = saved[1], bag = saved[2], weights = saved[3];
        const Tensor each = entry_gradients(gradients[0], bag, saved[6], weights, saved[4], saved[5], mode);
        Tensors results(2);
        if (saved.needs(0)) results[0] = embedding_gradient(each, entries, rows, padding);
        if (weights.defined() && saved.needs(1)) {
          const Tensor dots = sum(mul(index_select(gradients[0], 0, bag), embedding(saved[0], entries)), {1});
          const Tensor counted =
              padding < 0 ? dots : mul(dots, ne(entries, static_cast<double>(padding)).to(dots.dtype()));
          results[1] = counted.reshape(weights.shape());
        }
        return results;
      });
}

}  // namespace percale
