// What the twins of the reductions implement, and the walk that both take.
#pragma once

#include <limits>

#include "../common/strided.h"

namespace percale {

enum class Reduce { sum, max, min };

/// The elements that one output is made of (`inner`), and where outputs and their first elements lie (`outputs`:
/// operand 0 the input, 1 the output). Both in memory order of the input.
struct ReductionPlan {
  StridedWalk<2> outputs;
  StridedWalk<1> inner;

  /// Neighbours in memory belong to different outputs: as in sums of columns.
  bool by_columns() const {
    if (outputs.rank == 0 || inner.rank == 0) return false;
    const int64_t between_outputs = outputs.strides[0][outputs.rank - 1];
    return between_outputs > 0 && between_outputs < inner.strides[0][inner.rank - 1];
  }
};

/// What changes nothing when combined.
template <class T>
T identity_of(Reduce how) {
  if (how == Reduce::sum) return T(0);
  using Limits = std::numeric_limits<T>;
  if constexpr (Limits::has_infinity)
    return how == Reduce::max ? -Limits::infinity() : Limits::infinity();
  else
    return how == Reduce::max ? Limits::lowest() : Limits::max();
}

/// Calls `body.operator()<T>()` with the type of f32, f64, f16, bf16 or i64: what the twins take.
template <class Body>
void visit_reducible(DType dtype, Body&& body) {
  if (dtype == i64) return body.template operator()<int64_t>();
  visit_floating("reduction", dtype, body);
}

// Both twins: `in` is f32, f64, f16, bf16 or i64; `out` has its compute type (f32 for the 16-bit ones) and is divided
// by `divisor`. There is something to reduce, and to write.
namespace cpu {
void reduce(const Tensor& in, const Tensor& out, const ReductionPlan& plan, Reduce how, double divisor);
void argmax(const Tensor& in, int dim, const Tensor& out);
}  // namespace cpu

namespace cuda {
void reduce(const Tensor& in, const Tensor& out, const ReductionPlan& plan, Reduce how, double divisor);
void argmax(const Tensor& in, int dim, const Tensor& out);
}  // namespace cuda

}  // namespace percale
