#include "pca.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "../../core/autograd.h"
#include "../../core/cpu/threads.h"
#include "axis.h"

namespace percale::picture {
namespace {

using Matrix = std::vector<double>;  ///< row-major; its users know its width

std::vector<double> mean_of_rows(const double* rows, int64_t count, int64_t width) {
  std::vector<double> mean(static_cast<size_t>(width));
  for (int64_t n = 0; n < count; ++n)
    for (int64_t i = 0; i < width; ++i) mean[i] += rows[n * width + i];
  for (double& value : mean) value /= static_cast<double>(count);
  return mean;
}

/// Each thread owns whole rows of the result, so no sum depends on how many there are.
Matrix covariance(const double* rows, int64_t count, int64_t width, const std::vector<double>& mean) {
  Matrix result(static_cast<size_t>(width * width));
  constexpr int64_t rows_a_piece = 8;
  cpu::parallel_for(width, rows_a_piece, [&](int64_t begin, int64_t end) {
    std::vector<double> centred(static_cast<size_t>(width));
    for (int64_t n = 0; n < count; ++n) {
      for (int64_t j = 0; j < width; ++j) centred[j] = rows[n * width + j] - mean[j];
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < width; ++j) result[i * width + j] += centred[i] * centred[j];
    }
    for (int64_t k = begin * width; k < end * width; ++k) result[k] /= static_cast<double>(count);
  });
  return result;
}

double dot(const double* a, const double* b, int64_t width) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i) sum += a[i] * b[i];
  return sum;
}

/// Gram-Schmidt, twice, for the sake of rows that are nearly parallel. A row that vanishes becomes a unit vector's
/// rest.
void make_orthonormal(Matrix& basis, int64_t count, int64_t width) {
  int64_t spare = 0;
  for (int64_t k = 0; k < count; ++k) {
    double* row = basis.data() + k * width;
    const double before = std::sqrt(dot(row, row, width));
    auto clear_others = [&] {
      for (int pass = 0; pass < 2; ++pass)
        for (int64_t other = 0; other < k; ++other) {
          const double* basis_row = basis.data() + other * width;
          const double along = dot(row, basis_row, width);
          for (int64_t i = 0; i < width; ++i) row[i] -= along * basis_row[i];
        }
      return std::sqrt(dot(row, row, width));
    };
    double norm = clear_others();
    bool lost = !(norm > 1e-12 * before);
    while (lost) {
      std::fill_n(row, width, 0.0);
      row[spare++ % width] = 1;
      norm = clear_others();
      lost = norm < 1e-6;
    }
    for (int64_t i = 0; i < width; ++i) row[i] /= norm;
  }
}

Matrix multiply(const Matrix& basis, const Matrix& symmetric, int64_t count, int64_t width) {
  Matrix result(basis.size());
  for (int64_t k = 0; k < count; ++k)
    for (int64_t j = 0; j < width; ++j)
      result[k * width + j] = dot(basis.data() + k * width, symmetric.data() + j * width, width);
  return result;
}

/// Turns the basis so that the matrix is diagonal within it (Jacobi rotations), and sorts it: largest value first.
std::vector<double> turn_to_axes(Matrix& basis, const Matrix& symmetric, int64_t count, int64_t width) {
  const Matrix image = multiply(basis, symmetric, count, width);
  Matrix small(static_cast<size_t>(count * count));
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < count; ++j)
      small[i * count + j] = dot(image.data() + i * width, basis.data() + j * width, width);
  auto rotate = [](double* a, double* b, int64_t step, int64_t length, double cosine, double sine) {
    for (int64_t i = 0; i < length; ++i) {
      const double x = a[i * step], y = b[i * step];
      a[i * step] = cosine * x - sine * y;
      b[i * step] = sine * x + cosine * y;
    }
  };
  for (int sweep = 0; sweep < 30; ++sweep)
    for (int64_t p = 0; p < count; ++p)
      for (int64_t q = p + 1; q < count; ++q) {
        const double off = small[p * count + q];
        if (std::abs(off) <= 1e-300) continue;
        const double angle = 0.5 * std::atan2(2 * off, small[q * count + q] - small[p * count + p]);
        const double cosine = std::cos(angle), sine = std::sin(angle);
        rotate(small.data() + p * count, small.data() + q * count, 1, count, cosine, sine);
        rotate(small.data() + p, small.data() + q, count, count, cosine, sine);
        rotate(basis.data() + p * width, basis.data() + q * width, 1, width, cosine, sine);
      }
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) order[k] = k;
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return small[a * count + a] > small[b * count + b]; });
  Matrix sorted(basis.size());
  std::vector<double> values;
  for (int64_t k = 0; k < count; ++k) {
    std::copy_n(basis.data() + order[k] * width, width, sorted.data() + k * width);
    values.push_back(small[order[k] * count + order[k]]);
  }
  basis = std::move(sorted);
  return values;
}

Tensor rows_as_double(const Tensor& points) {
  const NoGradGuard guard;
  return points.detach().to(cpu_device).to(f64).contiguous();
}

Tensor filled(const Shape& shape, const double* values) {
  Tensor result = Tensor::empty(shape, {f64, cpu_device});
  std::copy_n(values, shape.numel(), result.data<double>());
  return result;
}

}  // namespace

PrincipalComponents principal_components(const Tensor& points, int64_t count) {
  const char* name = "principal_components";
  require(points.rank() == 2, name, "points must be [count, width], got {}", points.shape());
  const int64_t rows = points.size(0), width = points.size(1);
  require(rows >= 1, name, "needs at least one point, got {}", points.shape());
  require(count >= 1 && count <= width, name, "the number of directions must be in 1..{}, got {}", width, count);
  const Tensor values = rows_as_double(points);
  for (const double value : values.span<double>()) require(std::isfinite(value), name, "a value is {}", value);

  const std::vector<double> mean = mean_of_rows(values.data<double>(), rows, width);
  const Matrix matrix = covariance(values.data<double>(), rows, width, mean);
  double whole = 0;
  for (int64_t i = 0; i < width; ++i) whole += matrix[i * width + i];

  // A few directions more than asked for make those that are asked for settle sooner.
  const int64_t kept = std::min(width, count + 8);
  Matrix basis(static_cast<size_t>(kept * width));
  for (int64_t k = 0; k < kept; ++k)
    for (int64_t i = 0; i < width; ++i) basis[k * width + i] = std::sin(1.0 + static_cast<double>(k * width + i));
  make_orthonormal(basis, kept, width);
  std::vector<double> variances(static_cast<size_t>(kept));
  constexpr int most_rounds = 500;
  for (int round = 0; round < most_rounds; ++round) {
    basis = multiply(basis, matrix, kept, width);
    make_orthonormal(basis, kept, width);
    const std::vector<double> next = turn_to_axes(basis, matrix, kept, width);
    double change = 0;
    for (int64_t k = 0; k < count; ++k) change = std::max(change, std::abs(next[k] - variances[k]));
    variances = next;
    if (change <= 1e-14 * whole) break;
  }
  for (int64_t k = 0; k < count; ++k) {
    double* row = basis.data() + k * width;
    const double* largest =
        std::max_element(row, row + width, [](double a, double b) { return std::abs(a) < std::abs(b); });
    if (*largest < 0) std::transform(row, row + width, row, std::negate());
    variances[k] = whole > 0 ? std::max(variances[k], 0.0) / whole : 0;
  }
  return {filled({width}, mean.data()), filled({count, width}, basis.data()), filled({count}, variances.data())};
}

std::string PrincipalComponents::x_label() const {
  return "first principal component (" + percent(share.data<double>()[0], 0) + " of the variance)";
}

std::string PrincipalComponents::y_label() const { return "second (" + percent(share.data<double>()[1], 0) + ")"; }

Tensor PrincipalComponents::project(const Tensor& points) const {
  const int64_t count = directions.size(0), width = directions.size(1);
  require(points.rank() == 2 && points.size(1) == width, "project", "points must be [count, {}], got {}", width,
          points.shape());
  const Tensor values = rows_as_double(points);
  Tensor result = Tensor::empty({points.size(0), count});
  const double* middle = mean.data<double>();
  for (int64_t n = 0; n < points.size(0); ++n)
    for (int64_t k = 0; k < count; ++k) {
      const double* row = values.data<double>() + n * width;
      const double* direction = directions.data<double>() + k * width;
      double sum = 0;
      for (int64_t i = 0; i < width; ++i) sum += (row[i] - middle[i]) * direction[i];
      result.data<float>()[n * count + k] = static_cast<float>(sum);
    }
  return result;
}

}  // namespace percale::picture
