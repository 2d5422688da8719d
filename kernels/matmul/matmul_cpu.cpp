#include "../../core/primitives.h"
#include "../common/product.h"
#include "matmul_twins.h"

namespace percale::cpu {
namespace {

/// Offsets of matrix number i, walked in row-major order of the batch.
struct BatchWalk {
  Shape extents;
  Strides left, right;
  int64_t matrix;  ///< elements of one result

  BatchOffsets operator()(int64_t index) const {
    BatchOffsets at{0, 0, index * matrix};
    for (int dim = extents.rank() - 1; dim >= 0; --dim) {
      const int64_t here = index % extents[dim];
      at.left += here * left[dim];
      at.right += here * right[dim];
      index /= extents[dim];
    }
    return at;
  }
};

void matmul_as_is(const Tensor& a, const Tensor& b, const Tensor& out) {
  const int batch = a.rank() - 2;
  Product product{.dtype = a.dtype(), .rows = a.size(-2), .columns = b.size(-1), .depth = a.size(-1)};
  product.left = a.data();
  product.left_row_step = a.stride(-2);
  product.left_depth_step = a.stride(-1);
  product.right = b.data();
  product.right_depth_step = b.stride(-2);
  product.right_column_step = b.stride(-1);
  product.out = out.data();
  product.out_row_step = product.columns;
  BatchWalk walk{{}, {}, {}, product.rows * product.columns};
  int64_t count = 1;
  for (int dim = 0; dim < batch; ++dim) {
    walk.extents.push_back(a.shape()[dim]);
    walk.left.push_back(a.strides()[dim]);
    walk.right.push_back(b.strides()[dim]);
    count *= a.shape()[dim];
  }
  multiply_batch(product, count, walk);
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, const Tensor& out) {
  if (a.dtype() == f32 || a.dtype() == f64) return matmul_as_is(a, b, out);
  if (a.dtype() == bf16 && multiplies_bf16() && a.size(-1) > 0)
    return matmul_as_is(readable_bf16(a), readable_bf16(b), out);
  const Tensor sums = Tensor::empty(out.shape(), {f32, cpu_device});
  Tensor wide[2] = {a, b};
  for (Tensor& operand : wide) {
    const Tensor converted = Tensor::empty(operand.shape(), {f32, cpu_device});
    copy(operand, converted);
    operand = converted;
  }
  matmul_as_is(wide[0], wide[1], sums);
  copy(sums, out);
}

}  // namespace percale::cpu
