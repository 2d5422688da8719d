// What the twins of cross entropy implement.
#pragma once

#include "../../core/tensor.h"
#include "../common/reduction_mode.h"

namespace percale {

inline constexpr const char* class_message = "class {value} at position {position} is out of range for {bound} classes";

/// A position p = o * inner + i of the target has its classes' logits at (o * classes + c) * inner + i.
struct CrossEntropy {
  int64_t outer, classes, inner;
  int64_t ignore_index;
  double smoothing;
  Reduction reduction;

  PERCALE_HOST_DEVICE int64_t positions() const { return outer * inner; }
};

/// f32 or f64 alike; target i64; all dense. `weight` [classes] may be undefined: ones.
struct CrossEntropyForward {
  const Tensor &logits, &target, &weight;
  const Tensor& loss;        ///< a value a position, or one in all
  const Tensor& statistics;  ///< [2, positions]: the largest logit, and log(sum(exp(logit - largest)))
  const Tensor& counted;     ///< one value: the weight of all positions that are not ignored (mean only)
};

struct CrossEntropyBackward {
  const Tensor &gradient, &logits, &target, &weight;
  const Tensor& weight_sum;  ///< one value; undefined where `weight` is
  const Tensor &statistics, &counted;
  const Tensor& result;
};

namespace cpu {
void cross_entropy(const CrossEntropyForward& tensors, const CrossEntropy& loss);
void cross_entropy_gradient(const CrossEntropyBackward& tensors, const CrossEntropy& loss);
}  // namespace cpu

namespace cuda {
void cross_entropy(const CrossEntropyForward& tensors, const CrossEntropy& loss);
void cross_entropy_gradient(const CrossEntropyBackward& tensors, const CrossEntropy& loss);
}  // namespace cuda

}  // namespace percale
