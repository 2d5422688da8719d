// Random tensors: Philox counters keyed by element (core/philox.h), so the same numbers on every device, at any number
// of threads, in any memory layout.
#pragma once

#include <cstdint>

#include "../../core/random.h"
#include "../../core/tensor.h"

namespace percale {

/// Uniform in [0, 1), in steps of 2^-24 (2^-11 in f16, 2^-8 in bf16). Floating dtypes.
Tensor rand(const Shape& shape, TensorOptions options = {});
/// Standard normal. Floating dtypes; f64 has the digits of f32.
Tensor randn(const Shape& shape, TensorOptions options = {});
/// Integers from `low` to `high` - 1, each as likely (within 2^-64 times their number). Any dtype but bool.
Tensor randint(int64_t low, int64_t high, const Shape& shape, TensorOptions options = {i64, cpu_device});
inline Tensor randint(int64_t high, const Shape& shape, TensorOptions options = {i64, cpu_device}) {
  return randint(0, high, shape, options);
}
/// The numbers 0 to count - 1 in random order, i64 or i32. Each element is worked out on its own by a permutation keyed
/// by the random state (random_permutation.h): no sort, no workspace, and a captured step shuffles anew at each replay.
Tensor randperm(int64_t count, TensorOptions options = {i64, cpu_device});

// In place, for initial weights and the like: the target keeps its strides and its version rises. An error where
// history is recorded of it; use a NoGradGuard. Returns the target.
/// Uniform in [low, high).
const Tensor& uniform_(const Tensor& target, double low = 0, double high = 1);
/// Normal with the given mean and standard deviation.
const Tensor& normal_(const Tensor& target, double mean = 0, double deviation = 1);

}  // namespace percale
