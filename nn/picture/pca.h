// Principal components: the plane in which points spread most.
#pragma once

#include <string>

#include "../../core/tensor.h"

namespace percale::picture {

/// What `principal_components` finds. All f64 on the CPU.
struct PrincipalComponents {
  Tensor mean;  ///< [width]
  Tensor
      directions;  ///< [count, width]: orthonormal rows, largest variance first; the largest entry of each is positive
  Tensor share;    ///< [count]: of the whole variance, 0 to 1

  /// Where `points` [N, width] (any floating dtype, any device) lie along the directions: f32 [N, count] on the CPU.
  Tensor project(const Tensor& points) const;

  /// What a map calls the first two directions (of two or more): `first principal component (62 % of the variance)`,
  /// `second (20 %)`.
  std::string x_label() const;
  std::string y_label() const;
};

/// The `count` directions along which the rows of `points` [N, width] vary most: eigenvectors of their covariance, by
/// subspace iteration in f64. The same bytes at any number of threads. Errors: no rows, `count` not in 1..width, or a
/// value that is not finite. Needs width^2 doubles.
PrincipalComponents principal_components(const Tensor& points, int64_t count = 2);

}  // namespace percale::picture
