// Reductions over any dimensions: sum, mean, max, min, argmax.
#pragma once

#include <optional>

#include "../../core/tensor.h"

namespace percale {

/// The sum over `dims` (negative ones count from the back; none named: over all). Reduced dimensions vanish, or have
/// extent 1 with `keepdim`. Any dtype; sums of bool and integers are i64. The sum of nothing is 0.
/// On every device the same bytes each run: the order of additions depends on the sizes alone.
Tensor sum(const Tensor& x, const Shape& dims = {}, bool keepdim = false);

/// The arithmetic mean over `dims`, as `sum`. Floating dtypes; the mean of nothing is NaN.
Tensor mean(const Tensor& x, const Shape& dims = {}, bool keepdim = false);

/// The largest or smallest element over `dims`, as `sum`; NaN if there is one. Any dtype. Equal elements share the
/// gradient, as in PyTorch's amax and amin. An error where nothing would be compared.
Tensor max(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor min(const Tensor& x, const Shape& dims = {}, bool keepdim = false);

/// The position (i64) of the largest element along `dim`, or in row-major order of all elements. NaN counts as the
/// largest; among equals the first. An error where nothing would be compared.
Tensor argmax(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);

}  // namespace percale
