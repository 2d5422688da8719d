// What the two twins of sampled_softmax implement. Shapes, dtypes and devices are checked before; all dense.
#pragma once

#include "../../core/philox.h"
#include "sampled_softmax.h"

namespace percale {

inline constexpr const char* target_message =
    "class {value} at position {position} is out of range for {bound} classes";

/// Which classes a call meets: the targets, then the noise. Noise n takes the random words 2 n and 2 n + 1, of four a
/// block.
struct ClassDraw {
  const Tensor& target;  ///< i64 [rows]
  const ClassSampler& sampler;
  RandomKey key;
  const Tensor& classes;     ///< i64 [rows + samples], to be written
  const Tensor& correction;  ///< f32 or f64 [samples], to be written: -log(samples * share)

  int64_t rows() const { return target.numel(); }
  int64_t samples() const { return classes.numel() - rows(); }
};

/// Rows of scores whose noise that is the row's own class does not count. f32 or f64 alike.
struct SampledScores {
  const Tensor& own;      ///< [rows]
  const Tensor& scores;   ///< [rows, samples]
  const Tensor& classes;  ///< i64 [rows + samples]
};

struct SampledLoss {
  const Tensor& losses;      ///< [rows]
  const Tensor& statistics;  ///< [2, rows]: the largest score, and log(sum of exp(score - largest)), own ones included
};

struct SampledGradient {
  const Tensor& upstream;  ///< [rows]
  const Tensor& statistics;
  const Tensor& own;     ///< [rows], to be written
  const Tensor& scores;  ///< [rows, samples], to be written
};

namespace cpu {
void draw_classes(const ClassDraw& draw);
void sampled_loss(const SampledScores& in, const SampledLoss& out);
void sampled_gradient(const SampledScores& in, const SampledGradient& out);
}  // namespace cpu
namespace cuda {
void draw_classes(const ClassDraw& draw);
void sampled_loss(const SampledScores& in, const SampledLoss& out);
void sampled_gradient(const SampledScores& in, const SampledGradient& out);
}  // namespace cuda

}  // namespace percale
