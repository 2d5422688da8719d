// What the two twins of embedding implement, on contiguous memory.
#pragma once

#include "../../core/tensor.h"

namespace percale {

namespace cpu {
/// `rows` [..., width] are those of `table` that `index` [...] names.
void gather_rows(const Tensor& table, const Tensor& index, const Tensor& rows);
/// `gradient` [rows, width]: row r is the sum of the rows of `upstream` [count, width] whose entry of `index` is r, in
/// the order of the index; zeros where there are none. Entries outside of the table stand for nothing.
void sum_rows(const Tensor& upstream, const Tensor& index, const Tensor& gradient);
/// Shrinks each row that `index` names, once, to a norm of `max_norm` at most: as x * max_norm / (norm + 1e-7).
void renormalise_rows(const Tensor& table, const Tensor& index, double max_norm, double norm_type);
}  // namespace cpu

namespace cuda {
void gather_rows(const Tensor& table, const Tensor& index, const Tensor& rows);
void sum_rows(const Tensor& upstream, const Tensor& index, const Tensor& gradient);
void renormalise_rows(const Tensor& table, const Tensor& index, double max_norm, double norm_type);
}  // namespace cuda

}  // namespace percale
