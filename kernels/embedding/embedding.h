// Rows of a table picked by index, and the gradient that returns to them.
#pragma once

#include <optional>

#include "../../core/autograd.h"
#include "../../core/tensor.h"

namespace percale {

struct EmbeddingOptions {
  std::optional<int64_t> padding_idx = {};  ///< a row that gains no gradient; negative ones count from the back
  std::optional<double> max_norm = {};      ///< rows that are used are first shrunk, in place, to this norm at most
  double norm_type = 2;                     ///< which norm that is: sum(|x|^p)^(1/p), or infinity
  bool sparse = false;                      ///< the table keeps its gradient as the rows that were used (row_gradients)
};

/// The rows of `table` that `index` names: result[..., :] = table[index[...], :]. PyTorch's `F.embedding`.
///
/// The gradient of a row is the sum over the entries that named it, in the order of the index and so the same bytes
/// each run on a device, without atomics: entries are sorted by row. It is a dense tensor of the table's shape, or,
/// with `sparse`, stays the rows that were used with their positions, which the optimizers' steps take as they are.
/// @param table [rows, width] of f32, f64, f16 or bf16.
/// @param index i64 or i32, any shape.
/// Returns index.shape + [width], of the table's dtype.
/// Errors: an entry that is negative or not below rows, with its position (on CUDA at the next synchronising call; row
/// 0 is read in its place and no lasting state is written); a padding_idx outside of the table; `sparse` with a table
/// that is the output of an operation, or of f16 or bf16.
Tensor embedding(const Tensor& table, const Tensor& index, const EmbeddingOptions& options = {});

/// What embedding's table gains: row r of the result [rows, width] is the sum of the rows of `upstream` [..., width]
/// whose entry of `index` [...] is r, in the order of the index. Entries that are negative stand for nothing, and
/// neither do those of the row `padding`. Has a gradient of its own, by `upstream`.
Tensor embedding_gradient(const Tensor& upstream, const Tensor& index, int64_t rows, int64_t padding = -1);

/// `index` with -1, which stands for no row, where it names the row `padding`; itself if that is negative.
Tensor without_padding(const Tensor& index, int64_t padding);

/// `padding_idx` counted from the front, or -1 if there is none. An error that names `operation` if it is out of range.
int64_t padding_row(const char* operation, const Tensor& table, const std::optional<int64_t>& padding_idx);

/// The row-sparse gradient of a leaf as one: ids ascending, each once, and what that row gains (PyTorch's
/// `grad.coalesce()`). Waits for the device. Undefined tensors if nothing has arrived.
/// Returns index [n] of i64 and rows [n, width].
RowGradient coalesced_row_gradient(const Tensor& table);

}  // namespace percale
